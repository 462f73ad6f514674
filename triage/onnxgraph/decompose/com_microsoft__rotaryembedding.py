"""RotaryEmbedding of ONNX Runtime: turns pairs of numbers by an angle that depends on the position."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Heads, the two halves (or neighbours), cosine and sine of each position."""
    work.only(is_packed_batching=0, scale=1.0)
    build, data, kind = work.build, work.need(0), work.kind(work.need(0))
    rank, half = work.rank(data), work.size(work.need(2), 1)
    wide = work.wide(data)
    whole = int(work.attribute("rotary_embedding_dim", 0))
    if rank == 3:
        heads = int(work.attribute("num_heads", 0)) if whole else work.size(data, 2) // (2 * half)
        if not heads:
            raise CannotRewrite("the number of its heads is not given")
        wide = build.add("Transpose", build.reshape(wide, [0, 0, heads, -1]), perm=[0, 2, 1, 3])
        size = work.size(data, 2) // heads
    else:
        size = work.size(data, 3)
    rest = ""
    if size > 2 * half:
        wide, rest = build.split(wide, [2 * half, size - 2 * half], 3)
    cosine, sine = (build.over("Unsqueeze", _row(work, work.wide(work.need(place)), rank), [1]) for place in (2, 3))
    turned = _turned(work, wide, half, cosine, sine)
    if rest:
        turned = build.add("Concat", turned, rest, axis=3)
    if rank == 3:
        turned = build.reshape(build.add("Transpose", turned, perm=[0, 2, 1, 3]), [0, 0, -1])
    work.give(0, work.back(turned, kind))


def _row(work: Work, table: str, rank: int) -> str:
    """The table's rows for the positions: (batch or 1, length, half)."""
    build, ids = work.build, work.need(1)
    if work.rank(ids) == 2:
        return build.add("Gather", table, ids, axis=0)
    length = build.over("Squeeze", build.size(work.need(0), 1 if rank == 3 else 2), [0])
    steps = build.add("Range", build.constant(0, "int64"), length, build.constant(1, "int64"))
    return build.over("Unsqueeze", build.add("Gather", table, build.add("Add", steps, ids), axis=0), [0])


def _turned(work: Work, wide: str, half: int, cosine: str, sine: str) -> str:
    build = work.build
    if work.attribute("interleaved", 0):
        pairs = build.reshape(wide, [0, 0, 0, half, 2])
        left, right = (build.over("Squeeze", part, [4]) for part in build.split(pairs, [1, 1], 4))
    else:
        left, right = build.split(wide, [half, half], 3)
    first = build.add("Sub", build.add("Mul", left, cosine), build.add("Mul", right, sine))
    second = build.add("Add", build.add("Mul", left, sine), build.add("Mul", right, cosine))
    if work.attribute("interleaved", 0):
        both = build.add("Concat", *(build.over("Unsqueeze", part, [4]) for part in (first, second)), axis=4)
        return build.reshape(both, [0, 0, 0, -1])
    return build.add("Concat", first, second, axis=3)
