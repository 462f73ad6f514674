"""Gelu of ONNX Runtime, by the error function."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """x/2 * (1 + erf(x / sqrt 2))."""
    kind = work.kind(work.need(0))
    work.give(0, work.back(_activations.gelu(work, work.wide(work.need(0))), kind))
