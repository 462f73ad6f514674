"""SkipLayerNormalization of ONNX Runtime: LayerNormalization of a sum, which may be given too."""

from __future__ import annotations

from triage.onnxgraph.decompose import _norms
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Adds skip and bias, then normalises the last dimension."""
    _sum_and_norm(work, gamma=work.need(2), beta=work.input(3), bias=work.input(4), centred=True)


def simplified(work: Work) -> None:
    """The same without mean and beta."""
    _sum_and_norm(work, gamma=work.need(2), beta="", bias=work.input(3), centred=False)


def _sum_and_norm(work: Work, *, gamma: str, beta: str, bias: str, centred: bool) -> None:
    kind = work.kind(work.need(0))
    total = work.build.add("Add", work.wide(work.need(0)), work.wide(work.need(1)))
    if bias:
        total = work.build.add("Add", total, work.wide(bias))
    normed = _norms.layer(work, total, [-1], float(work.attribute("epsilon", 1e-12)), centred=centred)
    work.give(0, work.back(_norms.scaled(work, normed.result, gamma, beta), kind))
    if normed.mean:
        work.give(1, normed.mean)
    work.give(2, normed.inverse)
    work.give(3, work.back(total, kind))
