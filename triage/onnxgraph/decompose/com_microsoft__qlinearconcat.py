"""QLinearConcat of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize all, Concat, quantize."""
    parts = [_quantized.real(work, place) for place in range(2, len(work.node.input), 3)]
    joined = work.build.add("Concat", *parts, axis=int(work.attribute("axis")))
    work.give(0, _quantized.stored(work, joined, work.need(0), work.need(1)))
