"""MultiHeadAttention of ONNX Runtime, where query, key and value are given apart."""

from __future__ import annotations

from triage.onnxgraph.decompose import _attention
from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Bias, heads, past keys and values, scores, masks, softmax, values."""
    work.without(8, 9)
    build, count, kind = work.build, int(work.attribute("num_heads")), work.kind(work.need(0))
    if work.rank(work.need(0)) != 3 or not work.input(1) or not work.input(2):
        raise CannotRewrite("its query, key and value are packed into one tensor")
    biases = _biases(work)
    parts = []
    for place in range(3):
        name = work.need(place)
        wide = work.wide(name)
        if work.rank(name) == 4:
            parts.append(wide)
            continue
        if biases:
            wide = build.add("Add", wide, biases[place])
        parts.append(_attention.heads_of(work, wide, count))
    for place, past in ((1, work.input(6)), (2, work.input(7))):
        if past:
            parts[place] = build.add("Concat", work.wide(past), parts[place], axis=2)
    added = [work.wide(work.input(5))] if work.input(5) else []
    if work.input(4):
        added.append(_attention.padding(work, work.input(4)))
    hidden = (work.facts.dims(work.need(0)) or [None])[-1]
    size = hidden // count if isinstance(hidden, int) else None
    later = bool(work.attribute("unidirectional", 0))
    result, chances = _attention.attend(work, _attention.Heads(*parts), size, added, later=later)
    for place, name in enumerate((result, parts[1], parts[2], chances)):
        work.give(place, work.back(name, kind))


def _biases(work: Work) -> list[str]:
    """The bias of query, key and value."""
    if not work.input(3):
        return []
    total = work.size(work.input(3), 0)
    hidden = work.size(work.need(0), 2)
    return work.build.split(work.wide(work.input(3)), [hidden, hidden, total - 2 * hidden], 0)
