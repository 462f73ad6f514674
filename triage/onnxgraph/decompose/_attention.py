"""Attention of several heads, written with products and softmax."""

from __future__ import annotations

from typing import NamedTuple

from triage.onnxgraph.decompose._work import CannotRewrite, Work

_LOWEST = -3.4028234663852886e38


class Heads(NamedTuple):
    """Query, key and value as (batch, heads, length, size of a head)."""

    query: str
    key: str
    value: str


def heads_of(work: Work, name: str, count: int) -> str:
    """(batch, length, heads * size) as (batch, heads, length, size)."""
    return work.build.add("Transpose", work.build.reshape(name, [0, 0, count, -1]), perm=[0, 2, 1, 3])


def scale_of(work: Work, size: int | None, query: str) -> str:
    """The attribute, else 1 / sqrt(size of a head), worked out at run time where it is not known."""
    given = float(work.attribute("scale", 0.0) or 0.0)
    if given:
        return work.like(given, "")
    if size:
        return work.like(size**-0.5, "")
    length = work.build.add("Cast", work.build.size(query, 3), to=1)
    return work.build.add("Reciprocal", work.build.add("Sqrt", length))


def padding(work: Work, mask: str) -> str:
    """A mask of ones and zeros, (batch, keys) or (batch, queries, keys), as numbers to add to the scores."""
    build, rank = work.build, work.rank(mask)
    if rank not in (2, 3):
        raise CannotRewrite(f"its mask has {rank} dimensions")
    kept = build.add("Cast", build.add("Greater", build.add("Cast", mask, to=1), build.constant(0.0, "float32")), to=1)
    missing = build.add("Sub", build.constant(1.0, "float32"), kept)
    filled = build.add("Mul", missing, build.constant(float(work.attribute("mask_filter_value", -10000.0)), "float32"))
    return build.over("Unsqueeze", filled, [1, 2] if rank == 2 else [1])


def causal(work: Work, scores: str) -> str:
    """Scores with what comes later than the query at the lowest number."""
    build = work.build
    rows, columns = (build.over("Squeeze", build.size(scores, axis), [0]) for axis in (2, 3))
    zero, one = build.constant(0, "int64"), build.constant(1, "int64")
    query = build.add("Add", build.add("Range", zero, rows, one), build.add("Sub", columns, rows))
    later = build.add("Greater", build.add("Range", zero, columns, one), build.reshape(query, [-1, 1]))
    return build.add("Where", later, build.constant(_LOWEST, "float32"), scores)


def attend(work: Work, heads: Heads, size: int | None, added: list[str], *, later: bool) -> tuple[str, str]:
    """(result as (batch, length, heads * size), probabilities)."""
    build = work.build
    turned = build.add("Transpose", heads.key, perm=[0, 1, 3, 2])
    scores = build.add("Mul", build.add("MatMul", heads.query, turned), scale_of(work, size, heads.query))
    if later:
        scores = causal(work, scores)
    for each in added:
        scores = build.add("Add", scores, each)
    probabilities = build.add("Softmax", scores, axis=3)
    mixed = build.add("Transpose", build.add("MatMul", probabilities, heads.value), perm=[0, 2, 1, 3])
    return build.reshape(mixed, [0, 0, -1]), probabilities
