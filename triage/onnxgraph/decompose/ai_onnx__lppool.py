"""LpPool: the p-norm of windows."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """|x|^p, mean of the windows with the padding counted, times their size, p-th root."""
    kernel, build = list(work.attribute("kernel_shape")), work.build
    work.only(ceil_mode=0)
    if any(each != 1 for each in work.attribute("dilations", [])) or work.opset < 7:
        raise CannotRewrite("its windows have gaps")
    told = {name: work.attribute(name) for name in ("auto_pad", "pads", "strides")}
    power, count = float(work.attribute("p", 2)), 1
    for size in kernel:
        count *= size
    data = work.wide(work.need(0))
    raised = build.add("Pow", build.add("Abs", data), work.like(power, data))
    mean = build.add("AveragePool", raised, kernel_shape=kernel, count_include_pad=1, **told)
    total = build.add("Mul", mean, work.like(float(count), data))
    work.give(0, work.back(build.add("Pow", total, work.like(1.0 / power, data)), work.kind(work.need(0))))
