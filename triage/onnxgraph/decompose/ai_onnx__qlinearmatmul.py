"""QLinearMatMul: a product of quantized matrices."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, MatMul, quantize."""
    left, right = _quantized.real(work, 0), _quantized.real(work, 3)
    work.give(0, _quantized.stored(work, work.build.add("MatMul", left, right), work.need(6), work.need(7)))
