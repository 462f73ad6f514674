"""QLinearAveragePool of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, AveragePool, quantize."""
    told = {
        name: work.attribute(name)
        for name in ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    }
    rank = len(told["kernel_shape"]) + 2

    def compute(name: str) -> str:
        if not work.attribute("channels_last", 0):
            return work.build.add("AveragePool", name, **told)
        turned = work.build.add("Transpose", name, perm=[0, rank - 1, *range(1, rank - 1)])
        return work.build.add("Transpose", work.build.add("AveragePool", turned, **told), perm=[0, *range(2, rank), 1])

    _quantized.one(work, compute)
