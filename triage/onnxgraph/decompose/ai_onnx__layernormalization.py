"""LayerNormalization: of the standard from opset 17, of ONNX Runtime before."""

from __future__ import annotations

from triage.onnxgraph.decompose import _norms
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Mean and variance over the last dimensions, then scale and bias."""
    normalise(work, centred=True)


def normalise(work: Work, *, centred: bool) -> None:
    """With the mean taken off, or without (RMSNormalization, SimplifiedLayerNormalization)."""
    data, kind = work.need(0), work.kind(work.need(0))
    axis = int(work.attribute("axis", -1))
    axes = list(range(axis, 0)) if axis < 0 else list(range(axis - work.rank(data), 0))
    normed = _norms.layer(work, work.wide(data), axes, float(work.attribute("epsilon", 1e-5)), centred=centred)
    work.give(0, work.back(_norms.scaled(work, normed.result, work.need(1), work.input(2)), kind))
    if centred and normed.mean:
        work.give(1, normed.mean)
        work.give(2, normed.inverse)
    else:
        work.give(1, normed.inverse)
