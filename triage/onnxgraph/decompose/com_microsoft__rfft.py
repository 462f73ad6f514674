"""Rfft of ONNX Runtime: the half spectrum of the last dimension."""

from __future__ import annotations

from triage.onnxgraph.decompose import _complex
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """A product with a table of cosines and sines."""
    _complex.forward(work)
