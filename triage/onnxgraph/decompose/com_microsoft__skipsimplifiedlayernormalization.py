"""SkipSimplifiedLayerNormalization of ONNX Runtime: root mean square normalisation of a sum."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work
from triage.onnxgraph.decompose.com_microsoft__skiplayernormalization import simplified


def rewrite(work: Work) -> None:
    """Adds skip and bias, then divides by the root mean square of the last dimension."""
    simplified(work)
