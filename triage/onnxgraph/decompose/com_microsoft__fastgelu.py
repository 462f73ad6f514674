"""FastGelu of ONNX Runtime: Gelu by tanh, of a sum where a bias is given."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Adds the bias, then the tanh form."""
    kind, total = work.kind(work.need(0)), work.wide(work.need(0))
    if work.input(1):
        total = work.build.add("Add", total, work.wide(work.input(1)))
    work.give(0, work.back(_activations.gelu_tanh(work, total), kind))
