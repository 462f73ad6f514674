"""ReduceSumInteger of ONNX Runtime: a sum in int32."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Cast, ReduceSum."""
    to = 6 if work.kind(work.need(0)) == 3 else 12
    axes = list(work.attribute("axes", [])) or list(range(work.rank(work.need(0))))
    total = work.build.over(
        "ReduceSum", work.build.add("Cast", work.need(0), to=6), axes, keepdims=int(work.attribute("keepdims", 1))
    )
    work.give(0, total if to == 6 else work.build.add("Cast", total, to=to))
