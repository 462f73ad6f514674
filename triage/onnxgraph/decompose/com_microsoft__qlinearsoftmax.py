"""QLinearSoftmax of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize, Softmax as of the opset it names, quantize."""
    data, axis = work.need(0), int(work.attribute("axis", -1))
    rank = work.rank(data)
    axis += rank if axis < 0 else 0
    if int(work.attribute("opset", 13)) >= 13 and axis != rank - 1 and work.opset < 13:
        order = [*(each for each in range(rank) if each != axis), axis]
        back = [order.index(each) for each in range(rank)]

        def compute(name: str) -> str:
            turned = work.build.add("Transpose", name, perm=order)
            return work.build.add("Transpose", work.build.add("Softmax", turned, axis=rank - 1), perm=back)
    elif int(work.attribute("opset", 13)) < 13 <= work.opset and axis != rank - 1:

        def compute(name: str) -> str:
            flat = work.build.reshape(name, [*([0] * axis), -1])
            return work.build.add("Reshape", work.build.add("Softmax", flat, axis=axis), work.build.add("Shape", name))
    else:

        def compute(name: str) -> str:
            return work.build.add("Softmax", name, axis=axis)

    _quantized.one(work, compute)
