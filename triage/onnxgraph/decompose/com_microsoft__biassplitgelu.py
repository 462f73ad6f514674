"""BiasSplitGelu of ONNX Runtime: adds a bias, halves the last dimension, left * Gelu(right)."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Left half times Gelu (by the error function) of the right half."""
    kind, data, bias = work.kind(work.need(0)), work.wide(work.need(0)), work.need(1)
    total = work.build.add("Add", data, work.wide(bias))
    half = (work.facts.static(bias) or [work.size(work.need(0), -1)])[-1] // 2
    left, right = work.build.split(total, [half, half], -1)
    work.give(0, work.back(work.build.add("Mul", left, _activations.gelu(work, right)), kind))
