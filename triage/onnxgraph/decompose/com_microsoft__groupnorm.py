"""GroupNorm of ONNX Runtime: channels last by default, SiLU where activation is 1."""

from __future__ import annotations

from triage.onnxgraph.decompose import _norms
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """InstanceNormalization over groups, then scale and bias of each channel."""
    data, last = work.need(0), bool(work.attribute("channels_last", 1))
    rank = _norms.rank_of_picture(work, data)
    kind = work.kind(data)
    result = _norms.group(work, work.wide(data), gamma=work.need(1), beta=work.need(2), last=last, rank=rank)
    work.give(0, work.back(result, kind))
