"""NhwcConv of ONNX Runtime: Conv on data with channels last."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Transpose, Conv, Transpose."""
    work.give(0, work.back(_products.conv(work, last=True), work.kind(work.need(0))))
