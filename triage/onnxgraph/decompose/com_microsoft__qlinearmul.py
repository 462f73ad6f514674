"""QLinearMul of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, Mul, quantize."""
    _quantized.two(work, "Mul")
