"""ComplexMulConj of ONNX Runtime: a product with the conjugate."""

from __future__ import annotations

from triage.onnxgraph.decompose import _complex
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """(a + bi)(c - di)."""
    _complex.multiply(work, conjugate=True)
