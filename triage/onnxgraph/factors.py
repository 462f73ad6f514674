"""Dimensions as products of numbers and symbols, outermost factor first: what a Reshape may take apart and join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Symbol(NamedTuple):
    """A size that is free.

    ``values`` are its sizes in the cases that are played through; the first is the one that the file was
    made for. ``source`` says how it is known at run time: ``("dim", tensor, axis)`` or
    ``("part", symbol, divisor)``. ``role`` is batch, length, size, or derived.
    """

    name: str
    values: tuple[int, ...]
    source: tuple[object, ...]
    role: str = "derived"


Factor = int | Symbol
Dim = tuple[Factor, ...]  # the empty product is 1


def number(value: int) -> Dim:
    """A fixed dimension."""
    return () if value == 1 else (value,)


def at(dim: Dim, case: int) -> int:
    """The size in one of the cases."""
    result = 1
    for factor in dim:
        result *= factor.values[case] if isinstance(factor, Symbol) else factor
    return result


def free(dim: Dim) -> bool:
    """Whether it holds a symbol."""
    return any(isinstance(factor, Symbol) for factor in dim)


def flat(dims: Sequence[Dim]) -> list[Factor]:
    """All factors in row-major order, neighbouring numbers joined."""
    found: list[Factor] = []
    for dim in dims:
        for factor in dim:
            if isinstance(factor, int) and found and isinstance(found[-1], int):
                found[-1] = found[-1] * factor
            elif factor != 1:
                found.append(factor)
    return found


def place(dims: Sequence[Dim], sizes: Sequence[int], strategy: int = 0) -> list[Dim] | None:
    """Shares the factors of a tensor out to the axes it is reshaped to; None where they do not come apart so.

    Args:
        dims: of the tensor.
        sizes: of the axes in the first case.
        strategy: 0, 1, 2 … decide differently where a symbol whose first size is 1 fits more than one axis.
    """
    rest = flat(dims)
    result: list[Dim] = []
    for axis, size in enumerate(sizes):
        group: list[Factor] = []
        need = size
        if size == 1 and rest and _is_one(rest[0]) and not (strategy == 1 and 1 in sizes[axis + 1 :]):
            group.append(rest.pop(0))
        while need > 1:
            taken = _take(rest, need)
            if taken is None:
                return None
            group.append(taken)
            need //= taken.values[0] if isinstance(taken, Symbol) else taken
        while size > 1 and rest and _is_one(rest[0]) and _to_the_left(rest, sizes[axis + 1 :], strategy):
            group.append(rest.pop(0))
        result.append(tuple(group))
    if any(not _is_one(factor) for factor in rest) or (rest and not result):
        return None
    if rest:
        result[-1] = (*result[-1], *rest)
    return [_joined(dim) for dim in result]


def _joined(dim: Dim) -> Dim:
    return tuple(flat([dim]))


def _is_one(factor: Factor) -> bool:
    return isinstance(factor, Symbol) and factor.values[0] == 1


def _take(rest: list[Factor], need: int) -> Factor | None:
    """The outermost factor, or the part of it that is needed; the remainder goes back."""
    if not rest:
        return None
    first = rest.pop(0)
    size = first.values[0] if isinstance(first, Symbol) else first
    if size and need % size == 0:
        return first
    if not size or size % need:
        return None
    inner = size // need
    rest.insert(0, inner)
    if isinstance(first, int):
        return need
    if any(value % inner for value in first.values):
        return None
    parts = tuple(value // inner for value in first.values)
    return Symbol(f"{first.name}/{inner}", parts, ("part", first, inner), first.role)


def _to_the_left(rest: Sequence[Factor], following: Sequence[int], strategy: int) -> bool:
    """Whether a symbol of size 1 between two axes belongs to the left one."""
    if not following:
        return True
    if following[0] == 1:
        return False
    if strategy == 2:
        return False
    inner = next((factor for factor in rest if not _is_one(factor)), 1)
    size = inner.values[0] if isinstance(inner, Symbol) else inner
    return size <= following[0]
