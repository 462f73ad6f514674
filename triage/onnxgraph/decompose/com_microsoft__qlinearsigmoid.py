"""QLinearSigmoid of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, Sigmoid, quantize."""
    _quantized.one(work, lambda name: work.build.add("Sigmoid", name))
