"""FusedConv of ONNX Runtime: Conv, an added tensor, an activation."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Conv, Add, activation."""
    work.give(0, work.back(_products.conv(work, last=False), work.kind(work.need(0))))
