"""TorchEmbedding of ONNX Runtime: rows of a table."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Gather; what concerns gradients has no effect here."""
    work.give(0, work.build.add("Gather", work.need(0), work.need(1), axis=0))
