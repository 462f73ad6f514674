"""BiasAdd of ONNX Runtime: data + bias + skip."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Two additions."""
    kind = work.kind(work.need(0))
    total = work.build.add("Add", work.wide(work.need(0)), work.wide(work.need(1)))
    work.give(0, work.back(work.build.add("Add", total, work.wide(work.need(2))), kind))
