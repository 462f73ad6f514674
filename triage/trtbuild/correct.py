"""Putting a profile right against the model's inputs: names, rank, fixed sizes, order, forgotten inputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from triage.trtbuild import ranges
from triage.trtbuild.inputs import Input
from triage.trtbuild.ranges import Asked, Fits
from triage.trtbuild.settings import Dims, Profile, Range, by_x


class Corrected(NamedTuple):
    """Profiles put right, and what was wrong in words."""

    profiles: tuple[dict[str, Range], ...]
    told: tuple[str, ...]


def corrections(
    inputs: Sequence[Input], profiles: Sequence[Profile], asked: Asked, hinted: Asked, fits: Fits
) -> Iterator[Corrected]:
    """Ways to put profiles right, best first; nothing where nothing is wrong with them."""
    seen = []
    for clamp in (False, True):
        done = [_one(inputs, profile, asked, hinted, fits, clamp) for profile in profiles]
        if any(one is None for one in done):
            continue
        found = Corrected(
            tuple(one.profiles[0] for one in done if one),
            tuple(dict.fromkeys(text for one in done if one for text in one.told)),
        )
        if found.told and found.profiles not in seen:
            seen.append(found.profiles)
            yield found


def _one(
    inputs: Sequence[Input], profile: Profile, asked: Asked, hinted: Asked, fits: Fits, clamp: bool
) -> Corrected | None:
    known = {each.name: each for each in inputs}
    now, told = _renamed(inputs, profile)
    for name, found in list(now.items()):
        given = known.get(name)
        if given is None or not (given.dynamic or given.dims):
            continue
        right, why = _fitted(given, found, clamp)
        told += [f"{name}: {text}" for text in why]
        if right is None:
            del now[name]
        else:
            now[name] = right
    _drop_strangers(now, known)
    missing = [each for each in inputs if each.dynamic and each.name not in now]
    if missing:
        made = ranges.fresh(inputs, asked, hinted, fits, now)
        if made is None:
            return None
        told += [f"{each.name} has no range" for each in missing if not any(each.name in text for text in told)]
        now.update(made)
    level = ranges.unified(inputs, now)
    if level != now:
        told += [f"{name} shares a dimension with another input" for name in level if level[name] != now[name]]
    return Corrected((level,), tuple(told))


def _drop_strangers(now: dict[str, Range], known: Mapping[str, Input]) -> None:
    for name in [name for name in now if name not in known]:
        del now[name]


def _renamed(inputs: Sequence[Input], profile: Profile) -> tuple[dict[str, Range], list[str]]:
    """Ranges under names that no input has go to the dynamic inputs without one, likest name and shape first."""
    names = {each.name for each in inputs}
    strange = [name for name in profile if name not in names]
    free = [each for each in inputs if each.dynamic and each.name not in profile]
    pairs: dict[str, str] = {}
    scored = sorted(
        ((_likeness(name, profile[name], each), name, each.name) for name in strange for each in free),
        key=lambda one: -one[0],
    )
    for score, name, other in scored:
        if score > 0 and name not in pairs and other not in pairs.values():
            pairs[name] = other
    now: dict[str, Range] = {}
    told = []
    for name, found in profile.items():
        if name in pairs:
            now[pairs[name]] = found
            told.append(f"{name} is no input, {pairs[name]} is")
        elif name in names:
            now[name] = found
        else:
            told.append(f"{name} is no input of the model")
    return now, told


def _likeness(name: str, found: Range, each: Input) -> float:
    """How well a range under a wrong name suits an input: by its shape first, then by its name."""
    shape = 2.0 if each.fits_range(found) else 1.0 if _fitted(each, found, False)[0] else -4.0
    return shape + SequenceMatcher(None, name.lower(), each.name.lower(), autojunk=False).ratio()


def _fitted(given: Input, found: Range, clamp: bool) -> tuple[Range | None, list[str]]:
    """The range as the input takes it, and what was wrong; None where its numbers are no shape of the input."""
    ends, why = [found.least, found.opt, found.most], []
    if given.values:
        if any(len(dims) != given.length for dims in ends):
            return None, [f"{found} are not the {given.length} values it holds"]
        if not found.values:
            why.append("it holds sizes: its values need a range, not its dimensions")
    else:
        if any(size < 1 for dims in ends for size in dims):
            return None, [f"{found} holds a size below 1"]
        placed = _placed(given, ends)
        if placed is None:
            return None, [f"{found} is no range of {given}"]
        if placed != ends:
            why.append(_rank_words(given, ends, placed))
        fixed = [_with_fixed(given, dims) for dims in placed]
        if fixed != placed and not why:
            why.append(f"the fixed sizes are {given}")
        ends = fixed
    columns = list(zip(*ends, strict=True))
    if any(not low <= opt <= high for low, opt, high in columns):
        why.append("min <= opt <= max does not hold")
        columns = [_ordered(column, clamp) for column in columns]
    least, opt, most = (tuple(column[at] for column in columns) for at in range(3))
    return Range(least, opt, most, given.values), why


def _with_fixed(given: Input, dims: Dims) -> Dims:
    return tuple(size if isinstance(size, int) else told for size, told in zip(given.dims, dims, strict=True))


def _ordered(column: Sequence[int], clamp: bool) -> tuple[int, int, int]:
    """Three sizes in order; with ``clamp`` a best size outside moves to the nearer end."""
    low, opt, high = column
    if clamp and low <= high:
        return low, min(max(opt, low), high), high
    ordered = sorted(column)
    return ordered[0], ordered[1], ordered[2]


def _placed(given: Input, ends: Sequence[Dims]) -> list[Dims] | None:
    """The three shapes with the rank of the input, each size in the place where it belongs.

    None where none of it agrees. A rank that is right stays, unless the same sizes in another order fit the fixed ones.
    """
    ranks = {len(dims) for dims in ends}
    if ranks == {given.rank}:
        if all(_agrees(given, dims) for dims in ends):
            return list(ends)
        for order in itertools.permutations(range(given.rank)) if given.rank <= 5 else ():
            moved = [tuple(dims[at] for at in order) for dims in ends]
            if all(_agrees(given, dims) for dims in moved):
                return moved
        return list(ends)
    placed = [_stretched(given, dims) for dims in ends]
    if any(dims is None for dims in placed):
        return None
    return _filled([dims for dims in placed if dims is not None])


def _agrees(given: Input, dims: Dims) -> bool:
    return all(not isinstance(size, int) or size == told for size, told in zip(given.dims, dims, strict=True))


def _stretched(given: Input, dims: Dims) -> tuple[int | None, ...] | None:
    """One shape brought to the rank of the input: sizes left out become None, extra ones are dropped."""
    best: tuple[float, tuple[int | None, ...]] | None = None
    if len(dims) < given.rank:
        for kept in itertools.combinations(range(given.rank), len(dims)):
            row: list[int | None] = [None] * given.rank
            for at, size in zip(kept, dims, strict=True):
                row[at] = size
            best = _better(best, _score(given, row, kept), tuple(row))
    else:
        for kept in itertools.combinations(range(len(dims)), given.rank):
            picked: tuple[int | None, ...] = tuple(dims[at] for at in kept)
            dropped = [dims[at] for at in range(len(dims)) if at not in kept]
            best = _better(best, _score(given, picked, kept) - sum(size != 1 for size in dropped), picked)
    return best[1] if best and best[0] > -1 else None


def _score(given: Input, row: Sequence[int | None], kept: Sequence[int]) -> float:
    """Agreement with the fixed sizes; what is left out is likelier in front."""
    right = sum(isinstance(size, int) and size == told for size, told in zip(given.dims, row, strict=True))
    wrong = sum(
        isinstance(size, int) and told is not None and size != told for size, told in zip(given.dims, row, strict=True)
    )
    return right - 2 * wrong + 0.01 * sum(kept)


def _better(
    best: tuple[float, tuple[int | None, ...]] | None, score: float, row: tuple[int | None, ...]
) -> tuple[float, tuple[int | None, ...]]:
    return (score, row) if best is None or score > best[0] else best


def _filled(rows: Sequence[Sequence[int | None]]) -> list[Dims]:
    """A dimension that was left out gets the sizes of a batch: 1, 4, 8; fixed sizes are put in later."""
    usual = (1, 4, 8)
    return [tuple(usual[at] if size is None else size for size in row) for at, row in enumerate(rows)]


def _rank_words(given: Input, ends: Sequence[Dims], placed: Sequence[Dims]) -> str:
    if any(len(dims) != given.rank for dims in ends):
        return f"{by_x(ends[0])} has {len(ends[0])} dimensions, the input has {given.rank}"
    return f"{by_x(ends[2])} is in another order than [{', '.join('?' if d is None else str(d) for d in given.dims)}]"
