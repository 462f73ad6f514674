"""Operators on 8 bit numbers, written as DequantizeLinear, the plain operator, QuantizeLinear."""

from __future__ import annotations

from collections.abc import Callable

from triage.onnxgraph.decompose._work import FLOAT, INT32, CannotRewrite, Work

UINT8 = 2


def real(work: Work, place: int) -> str:
    """The float tensor that input ``place`` stands for, its scale and zero point being the two inputs after it."""
    return real_of(work, work.need(place), work.need(place + 1), work.input(place + 2))


def real_of(work: Work, data: str, scale: str, zero: str, axis: int | None = None) -> str:
    """(data - zero point) * scale."""
    shape = work.facts.static(scale)
    if shape is not None and shape not in ([], [1]) and axis is None:
        raise CannotRewrite(f"its scale {scale} is not one number")
    inputs = [data, _scalar(work, scale, axis)] + ([_scalar(work, zero, axis)] if zero else [])
    return work.build.add("DequantizeLinear", *inputs, axis=axis if axis is not None and work.opset >= 13 else None)


def stored(work: Work, result: str, scale: str, zero: str) -> str:
    """round(result / scale) + zero point, cut to the type's range."""
    inputs = [result, _scalar(work, scale, None)] + ([_scalar(work, zero, None)] if zero else [])
    return work.build.add("QuantizeLinear", *inputs)


def _scalar(work: Work, name: str, axis: int | None) -> str:
    """A scale or zero point of shape [1] as a number without dimensions."""
    if axis is None and work.facts.static(name) == [1]:
        return work.build.over("Squeeze", name, [0])
    return name


def one(work: Work, compute: Callable[[str], str]) -> None:
    """X, its scale and zero point, the result's scale and zero point."""
    _typed(work, work.need(0), work.input(4))
    work.give(0, stored(work, compute(real(work, 0)), work.need(3), work.input(4)))


def two(work: Work, op: str) -> None:
    """A and B with scale and zero point each, then those of the result."""
    _typed(work, work.need(0), work.input(7))
    result = work.build.add(op, real(work, 0), real(work, 3))
    work.give(0, stored(work, result, work.need(6), work.input(7)))


def _typed(work: Work, data: str, zero: str) -> None:
    """Without a zero point QuantizeLinear gives uint8."""
    if not zero and work.facts.dtype(data) != UINT8:
        raise CannotRewrite("the result has no zero point, and is not uint8")


def integers(work: Work, data: str, zero: str, column: bool | None = None) -> str:
    """Data - zero point, in int32. ``column`` False: a zero point for each row (it needs a dimension more)."""
    wide = work.build.add("Cast", data, to=INT32)
    if not zero:
        return wide
    off = work.build.add("Cast", zero, to=INT32)
    if column is False and (work.facts.rank(zero) or 0) == 1 and work.facts.static(zero) != [1]:
        off = work.build.over("Unsqueeze", off, [1])
    return work.build.add("Sub", wide, off)


def exact_matmul(work: Work, left: str, right: str) -> str:
    """A product of small whole numbers: float64 adds them without loss."""
    pair = [work.build.add("Cast", name, to=11) for name in (left, right)]
    return work.build.add("MatMul", *pair)


def float_of(work: Work, name: str) -> str:
    """Cast to float32."""
    return work.build.add("Cast", name, to=FLOAT)


def small_sums(work: Work, weights: str) -> None:
    """Sums of products of 8 bit numbers are exact in float32 below 2^24.

    Raises:
        CannotRewrite: a sum has too many terms for that.
    """
    sizes = work.facts.static(weights)
    terms = 1
    for size in (sizes or [1, 1 << 24])[1:]:
        terms *= size
    if terms * 255 * 255 >= 1 << 24:
        raise CannotRewrite("its sums are too long to be exact in float32")
