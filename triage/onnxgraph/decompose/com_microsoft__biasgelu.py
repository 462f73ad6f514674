"""BiasGelu of ONNX Runtime: Gelu of a sum, by the error function."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Adds the bias, then Gelu."""
    kind = work.kind(work.need(0))
    total = work.build.add("Add", work.wide(work.need(0)), work.wide(work.need(1)))
    work.give(0, work.back(_activations.gelu(work, total), kind))
