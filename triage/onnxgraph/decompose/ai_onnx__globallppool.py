"""GlobalLpPool: the p-norm of each channel."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """|x|^p, sum over the picture, p-th root."""
    build, data = work.build, work.wide(work.need(0))
    power = float(work.attribute("p", 2))
    axes = list(range(2, work.rank(work.need(0))))
    raised = build.add("Pow", build.add("Abs", data), work.like(power, data))
    total = build.over("ReduceSum", raised, axes, keepdims=1)
    work.give(0, work.back(build.add("Pow", total, work.like(1.0 / power, data)), work.kind(work.need(0))))
