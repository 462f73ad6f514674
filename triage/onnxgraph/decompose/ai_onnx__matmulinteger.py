"""MatMulInteger: a product of 8 bit numbers, in int32."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Zero points off, an exact product, Cast."""
    left = _quantized.integers(work, work.need(0), work.input(2), column=False)
    right = _quantized.integers(work, work.need(1), work.input(3))
    work.give(0, work.build.add("Cast", _quantized.exact_matmul(work, left, right), to=6))
