"""QLinearReduceMean of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, ReduceMean, quantize."""
    axes = list(work.attribute("axes", [])) or list(range(work.rank(work.need(0))))
    keep = int(work.attribute("keepdims", 1))
    _quantized.one(work, lambda name: work.build.over("ReduceMean", name, axes, keepdims=keep))
