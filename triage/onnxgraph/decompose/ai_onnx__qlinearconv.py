"""QLinearConv: a convolution of quantized data."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, Conv, quantize; the bias is in steps of both scales."""
    build = work.build
    told = {
        name: work.attribute(name) for name in ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    }
    data = _quantized.real(work, 0)
    scale = work.need(4)
    many = work.facts.static(scale) not in ([], [1])
    weights = _quantized.real_of(work, work.need(3), scale, work.input(5), axis=0 if many else None)
    inputs = [data, weights]
    if work.input(8):
        steps = build.add("Mul", work.need(1), scale)
        inputs.append(build.add("Mul", build.add("Cast", work.input(8), to=1), steps))
    work.give(0, _quantized.stored(work, build.add("Conv", *inputs, **told), work.need(6), work.need(7)))
