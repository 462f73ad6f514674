"""Attention of ONNX Runtime: projections of query, key and value in one product, then several heads."""

from __future__ import annotations

from triage.onnxgraph.decompose import _attention
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """MatMul, bias, heads, past, scores, masks, softmax, values."""
    work.without(6)
    work.only(do_rotary=0, past_present_share_buffer=0)
    build, count, kind = work.build, int(work.attribute("num_heads")), work.kind(work.need(0))
    joined = build.add("MatMul", work.wide(work.need(0)), work.wide(work.need(1)))
    if work.input(2):
        joined = build.add("Add", joined, work.wide(work.input(2)))
    third = work.size(work.need(1), 1) // 3
    sizes = list(work.attribute("qkv_hidden_sizes", [])) or [third] * 3
    parts = [_attention.heads_of(work, part, count) for part in build.split(joined, sizes, 2)]
    if work.input(4):
        pasts = [build.over("Squeeze", each, [0]) for each in build.split(work.wide(work.input(4)), [1, 1], 0)]
        parts[1:] = [build.add("Concat", *pair, axis=2) for pair in zip(pasts, parts[1:], strict=True)]
    added = [_attention.padding(work, work.input(3))] if work.input(3) else []
    if work.input(5):
        added.append(work.wide(work.input(5)))
    later = bool(work.attribute("unidirectional", 0))
    result, _ = _attention.attend(work, _attention.Heads(*parts), sizes[0] // count, added, later=later)
    work.give(0, work.back(result, kind))
    if work.wants(1):
        present = build.add("Concat", *(build.over("Unsqueeze", part, [0]) for part in parts[1:]), axis=0)
        work.give(1, work.back(present, kind))
