"""QLinearGlobalAveragePool of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, mean over the picture, quantize."""
    rank = work.rank(work.need(0))
    axes = list(range(1, rank - 1)) if work.attribute("channels_last", 0) else list(range(2, rank))
    _quantized.one(work, lambda name: work.build.over("ReduceMean", name, axes, keepdims=1))
