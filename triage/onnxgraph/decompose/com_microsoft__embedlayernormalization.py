"""EmbedLayerNormalization of ONNX Runtime: sums of embeddings, normalised."""

from __future__ import annotations

from triage.onnxgraph.decompose import _norms
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Gather words, positions and segments, add, normalise."""
    build, ids, kind = work.build, work.need(0), work.kind(work.need(2))
    total = build.add("Gather", work.wide(work.need(2)), ids, axis=0)
    positions = work.input(8)
    if not positions:
        length = build.over("Squeeze", build.size(ids, 1), [0])
        positions = build.add("Range", build.constant(0, "int64"), length, build.constant(1, "int64"))
    total = build.add("Add", total, build.add("Gather", work.wide(work.need(3)), positions, axis=0))
    if work.input(1) and work.input(4):
        total = build.add("Add", total, build.add("Gather", work.wide(work.input(4)), work.input(1), axis=0))
    normed = _norms.layer(work, total, [-1], float(work.attribute("epsilon", 1e-12)))
    work.give(0, work.back(_norms.scaled(work, normed.result, work.need(5), work.need(6)), kind))
    if work.wants(1) and work.input(7):
        counted = build.over("ReduceSum", build.add("Cast", work.input(7), to=7), [1], keepdims=0)
        work.give(1, build.add("Cast", counted, to=6))
    work.give(2, work.back(total, kind))
