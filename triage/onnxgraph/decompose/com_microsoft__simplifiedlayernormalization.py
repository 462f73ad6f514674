"""SimplifiedLayerNormalization: divides by the root mean square of the last dimensions."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work
from triage.onnxgraph.decompose.ai_onnx__layernormalization import normalise


def rewrite(work: Work) -> None:
    """As LayerNormalization, without taking off the mean."""
    normalise(work, centred=False)
