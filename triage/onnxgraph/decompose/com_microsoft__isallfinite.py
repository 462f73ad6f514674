"""IsAllFinite of ONNX Runtime: whether no value of any input is infinite or NaN."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """X - x is 0 for finite numbers, NaN for others."""
    if work.attribute("isnan_only", 0) and work.attribute("isinf_only", 0):
        raise CannotRewrite("both isnan_only and isinf_only are set")
    build, found = work.build, []
    for name in work.node.input:
        wide = build.add("Cast", name, to=1) if work.kind(name) != 11 else name
        if work.attribute("isnan_only", 0):
            bad = build.add("IsNaN", wide)
        elif work.attribute("isinf_only", 0):
            bad = build.add("IsInf", wide)
        else:
            bad = build.add("IsNaN", build.add("Sub", wide, wide))
        count = build.add("Cast", build.reshape(bad, [-1]), to=1)
        found.append(build.over("ReduceSum", count, [0], keepdims=0))
    total = build.add("Sum", *found)
    work.give(0, build.add("Not", build.add("Greater", total, build.constant(0.0, "float32"))))
