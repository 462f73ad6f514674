"""MulInteger of ONNX Runtime: a product in int32."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """(A - zero point) * (B - zero point)."""
    left = _quantized.integers(work, work.need(0), work.input(1))
    work.give(0, work.build.add("Mul", left, _quantized.integers(work, work.need(2), work.input(3))))
