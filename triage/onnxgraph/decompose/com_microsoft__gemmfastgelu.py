"""GemmFastGelu of ONNX Runtime: MatMul, bias, Gelu by tanh."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """MatMul, then as FastGelu."""
    kind = work.kind(work.need(0))
    total = work.build.add("MatMul", work.wide(work.need(0)), work.wide(work.need(1)))
    if work.input(2):
        total = work.build.add("Add", total, work.wide(work.input(2)))
    work.give(0, work.back(_activations.gelu_tanh(work, total), kind))
