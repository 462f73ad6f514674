"""SkipGroupNorm of ONNX Runtime: GroupNorm of a sum, which may be given too."""

from __future__ import annotations

from triage.onnxgraph.decompose import _norms
from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Adds skip and bias, then as GroupNorm."""
    data, last = work.need(0), bool(work.attribute("channels_last", 1))
    rank, kind, build = _norms.rank_of_picture(work, data), work.kind(data), work.build
    skip, bias = work.need(3), work.input(4)
    added = work.wide(skip)
    if work.rank(skip) == 2:
        added = build.over("Unsqueeze", added, list(range(1, rank - 1)) if last else list(range(2, rank)))
    elif work.rank(skip) != rank:
        raise CannotRewrite(f"skip has {work.rank(skip)} dimensions, the data {rank}")
    total = build.add("Add", work.wide(data), added)
    if bias:
        shift = work.wide(bias)
        total = build.add("Add", total, shift if last else build.reshape(shift, [-1] + [1] * (rank - 2)))
    result = _norms.group(work, total, gamma=work.need(1), beta=work.need(2), last=last, rank=rank)
    work.give(0, work.back(result, kind))
    work.give(1, work.back(total, kind))
