"""RelativePositionBias of ONNX Runtime: the biases of T5 for each pair of positions, by buckets of their distance."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """The buckets are a constant table, for the lengths must be constant; the biases are looked up."""
    import numpy as np

    query, key = (int(work.value(work.need(place)).reshape(-1)[0]) for place in (1, 2))
    buckets, heads = work.size(work.need(0), 0), work.size(work.need(0), 1)
    most = int(work.attribute("max_distance"))
    distance = np.arange(key)[None, :] - np.arange(query)[:, None]
    both = bool(work.attribute("is_bidirectional", 0))
    count = buckets // 2 if both else buckets
    base = np.where(distance > 0, count, 0) if both else np.zeros_like(distance)
    away = np.abs(distance) if both else np.maximum(-distance, 0)
    exact = count // 2
    if not exact or most <= exact:
        raise CannotRewrite("its buckets are too few")
    with np.errstate(divide="ignore"):
        far = np.log(away.astype(np.float32) / exact) / np.log(most / exact) * (count - exact)
    far = np.minimum(exact + np.where(away >= exact, far, 0).astype(np.int64), count - 1)
    places = base + np.where(away < exact, away, far)
    build = work.build
    table = build.reshape(work.need(0), [heads, buckets])  # it is stored column by column
    picked = build.add("Gather", table, build.constant(places, "int64"), axis=1)
    work.give(0, build.over("Unsqueeze", picked, [0]))
