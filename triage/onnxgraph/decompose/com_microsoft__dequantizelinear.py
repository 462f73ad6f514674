"""DequantizeLinear of ONNX Runtime: as the standard one, which takes the same types."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """The same inputs; an axis only where there is one."""
    axis = work.attribute("axis")
    inputs = [name for name in work.node.input if name]
    work.give(0, work.build.add("DequantizeLinear", *inputs, axis=axis))
