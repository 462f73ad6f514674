"""FusedGemm of ONNX Runtime: Gemm and an activation."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Gemm, activation."""
    work.give(0, _products.activation_of(work, _products.gemm(work)))
