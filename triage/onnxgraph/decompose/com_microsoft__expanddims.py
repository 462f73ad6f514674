"""ExpandDims of ONNX Runtime: a new dimension of 1."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Unsqueeze at the axis, counted in the result."""
    axis = int(work.value(work.need(1)).reshape(-1)[0])
    axis = axis + work.rank(work.need(0)) + 1 if axis < 0 else axis
    work.give(0, work.build.over("Unsqueeze", work.need(0), [axis]))
