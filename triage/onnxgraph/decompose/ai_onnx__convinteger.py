"""ConvInteger: a convolution of 8 bit numbers, in int32."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Zero points off, a convolution in float32 (exact up to 2^24), Cast."""
    told = {
        name: work.attribute(name) for name in ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    }
    _quantized.small_sums(work, work.need(1))
    data = _quantized.float_of(work, _quantized.integers(work, work.need(0), work.input(2)))
    weights = _quantized.float_of(work, _quantized.integers(work, work.need(1), work.input(3)))
    work.give(0, work.build.add("Cast", work.build.add("Conv", data, weights, **told), to=6))
