"""Irfft of ONNX Runtime: real numbers from their half spectrum."""

from __future__ import annotations

from triage.onnxgraph.decompose import _complex
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """A product with a table of cosines and sines."""
    _complex.backward(work)
