"""Normalisations, written with means and products."""

from __future__ import annotations

from typing import NamedTuple

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import CannotRewrite, Work


class Normed(NamedTuple):
    """A normalised tensor, the mean (none where the mean is not taken off) and 1 / standard deviation."""

    result: str
    mean: str | None
    inverse: str


def layer(work: Work, data: str, axes: list[int], epsilon: float, *, centred: bool = True) -> Normed:
    """(x - mean) / sqrt(variance + epsilon) over axes; without the mean where it is not centred (RMS)."""
    build = work.build
    mean = build.over("ReduceMean", data, axes, keepdims=1) if centred else None
    centre = build.add("Sub", data, mean) if mean else data
    variance = build.over("ReduceMean", build.add("Mul", centre, centre), axes, keepdims=1)
    deviation = build.add("Sqrt", build.add("Add", variance, work.like(epsilon, data)))
    inverse = build.add("Reciprocal", deviation)
    return Normed(build.add("Mul", centre, inverse), mean, inverse)


def scaled(work: Work, name: str, gamma: str, beta: str) -> str:
    """Name * gamma + beta; either may be left out."""
    result = work.build.add("Mul", name, work.wide(gamma)) if gamma else name
    return work.build.add("Add", result, work.wide(beta)) if beta else result


def group(work: Work, data: str, *, gamma: str, beta: str, last: bool, rank: int) -> str:
    """com.microsoft GroupNorm: groups of channels, scale and bias for each channel, SiLU where asked for."""
    build, groups = work.build, int(work.attribute("groups"))
    first = [0, rank - 1, *range(1, rank - 1)]
    plain = build.add("Transpose", data, perm=first) if last else data
    rows = build.reshape(plain, [0, groups, -1])
    ones, zeros = build.constant([1.0] * groups, "float32"), build.constant([0.0] * groups, "float32")
    if work.kind(data) not in (0, 1):
        raise CannotRewrite("its data is neither float32 nor of half precision")
    epsilon = float(work.attribute("epsilon", 1e-5))
    even = build.add("InstanceNormalization", rows, ones, zeros, epsilon=epsilon)
    whole = build.add("Reshape", even, build.add("Shape", plain))
    column = [-1] + [1] * (rank - 2)
    scale, shift = (build.reshape(work.wide(name), column) for name in (gamma, beta))
    result = build.add("Add", build.add("Mul", whole, scale), shift)
    activation = int(work.attribute("activation", 0))
    if activation not in (0, 1):
        raise CannotRewrite(f"its activation is {activation}")
    if activation:
        result = _activations.sigmoid_times(work, result)
    return build.add("Transpose", result, perm=[0, *range(2, rank), 1]) if last else result


def rank_of_picture(work: Work, name: str) -> int:
    """The rank of an image; four where the file does not tell."""
    return work.facts.rank(name) or 4
