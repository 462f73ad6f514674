"""BiasSoftmax of ONNX Runtime: softmax of scores plus a mask."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Add, Softmax over the dimensions from axis on."""
    build, data, bias = work.build, work.need(0), work.need(1)
    rank, axis = work.rank(data), int(work.attribute("axis", 1))
    axis += rank if axis < 0 else 0
    wide = work.wide(data)
    if work.attribute("is_inner_broadcast", 0) and work.rank(bias) != rank:
        raise CannotRewrite("its bias has another rank than the data")
    total = build.add("Add", wide, work.wide(bias))
    if axis != rank - 1:
        flat = build.reshape(total, [*([0] * axis), -1])
        total = build.add("Reshape", build.add("Softmax", flat, axis=axis), build.add("Shape", total))
    else:
        total = build.add("Softmax", total, axis=axis)
    work.give(0, work.back(total, work.kind(data)))
