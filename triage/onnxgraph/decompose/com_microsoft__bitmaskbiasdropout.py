"""BitmaskBiasDropout of ONNX Runtime, as it is when nothing is trained."""

from __future__ import annotations

from triage.onnxgraph.decompose import _dropping
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Data plus bias plus residual."""
    _dropping.refuse_training(work, 4)
    work.give(0, _dropping.with_bias(work))
