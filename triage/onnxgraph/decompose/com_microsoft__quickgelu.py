"""QuickGelu of ONNX Runtime: x * sigmoid(alpha * x), alpha 1.702 by default."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """X * sigmoid(alpha * x)."""
    kind, data = work.kind(work.need(0)), work.wide(work.need(0))
    work.give(0, work.back(_activations.sigmoid_times(work, data, float(work.attribute("alpha", 1.702))), kind))
