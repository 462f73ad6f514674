"""Making ranges for dynamic inputs: from what is asked for, else from what the dimension seems to be."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from triage.trtbuild.inputs import Input
from triage.trtbuild.settings import Dims, Profile, Range

Fits = Callable[[Mapping[str, Dims]], bool]
Asked = Mapping[str, Sequence[Dims]]
_BATCH = re.compile(r"(?i)^(?:b|n|bs|n?batch|batch.*|.*batch(?:_?size)?|num_?(?:images|frames|samples))$")
_IMAGE = re.compile(r"(?i)^(?:h|w|height|width|.*(?:height|width|_h|_w|rows|cols))$")
_MOST_TRIALS = 24


class Size(NamedTuple):
    """The range of one dimension."""

    least: int
    opt: int
    most: int


_BATCHES = (Size(1, 4, 8), Size(1, 1, 1))
_IMAGES = (Size(32, 64, 128), Size(64, 128, 256), Size(224, 224, 224), Size(128, 256, 512), Size(640, 640, 640))
_LENGTHS = (Size(1, 64, 256), Size(8, 64, 256), Size(1, 32, 64), Size(4, 16, 32), Size(1, 8, 16), Size(1, 2, 4))
_OTHERS = (Size(1, 16, 64), Size(8, 16, 32), Size(16, 32, 64), Size(32, 64, 128), Size(1, 4, 8), Size(1, 1, 1))
Key = tuple[str, int] | str  # a dimension's own place, or the symbol that it shares


def fresh(
    inputs: Sequence[Input], asked: Asked, hinted: Asked, fits: Fits, kept: Profile | None = None
) -> dict[str, Range] | None:
    """Ranges for every dynamic input that has none; None where no sizes were found that the model takes.

    Args:
        inputs: of the model.
        asked: shapes that are really run, by input.
        hinted: shapes written somewhere, by input.
        fits: does the model take these shapes.
        kept: ranges that other inputs have already.
    """
    kept = dict(kept or {})
    dynamic = [each for each in inputs if each.dynamic and each.name not in kept]
    preset = _preset(inputs, kept)
    choices: dict[Key, list[Size]] = {}
    for key in dict.fromkeys(_keys(dynamic)):
        choices[key] = [preset[key]] if key in preset else _choices(key, dynamic, asked, hinted)
        if _anonymous_batch(key) and "" in preset:
            choices[key].insert(0, preset[""])
    for picked in itertools.islice(_picks(choices), _MOST_TRIALS):
        made = {each.name: _of(each, picked) for each in dynamic}
        if consistent({**kept, **made}, fits):
            return made
    return None


def consistent(profile: Profile, fits: Fits) -> bool:
    """Whether the model takes the least, the best and the most sizes together."""
    ends = ("least", "opt", "most")
    return all(fits({name: getattr(found, end) for name, found in profile.items()}) for end in ends)


def widened(inputs: Sequence[Input], profile: Profile, asked: Asked) -> dict[str, Range]:
    """The profile with what is asked for inside; inputs that share a dimension get the same range."""
    sizes: dict[Key, Size] = {}
    dynamic = {each.name: each for each in inputs}
    for name, found in profile.items():
        for key, place in _places(dynamic.get(name), found):
            low, high = found.least[place], found.most[place]
            wanted = [dims[place] for dims in asked.get(name, ()) if len(dims) == len(found.least)]
            known = sizes.get(key)
            lows, highs = (
                [low, *wanted, *([known.least] if known else [])],
                [high, *wanted, *([known.most] if known else [])],
            )
            sizes[key] = Size(min(lows), found.opt[place], max(highs))
    wider = {}
    for name, found in profile.items():
        least, most = list(found.least), list(found.most)
        for key, place in _places(dynamic.get(name), found):
            least[place], most[place] = sizes[key].least, sizes[key].most
        wider[name] = found._replace(least=tuple(least), most=tuple(most))
    return wider


def outside(profile: Profile, asked: Asked) -> list[tuple[str, Dims]]:
    """(input, shape) of what is asked for and lies outside."""
    return [
        (name, dims) for name, wanted in asked.items() for dims in wanted
        if name in profile and len(dims) == len(profile[name].least) and not profile[name].covers(dims)
    ]  # fmt: skip


def unified(inputs: Sequence[Input], profile: Profile) -> dict[str, Range]:
    """The profile in which dimensions of one name have one range: from the least to the most that any has."""
    return widened(inputs, profile, {})


def _preset(inputs: Sequence[Input], kept: Profile) -> dict[Key, Size]:
    """Sizes by the name that dimensions share; under "" those of the first dimension of any input."""
    known: dict[Key, Size] = {}
    for each in inputs:
        found = kept.get(each.name)
        if found and not each.values and len(found.least) == each.rank:
            for place, dim in enumerate(each.dims):
                size = Size(found.least[place], found.opt[place], found.most[place])
                if isinstance(dim, str):
                    known.setdefault(dim, size)
                if place == 0 and not isinstance(dim, int):
                    known.setdefault("", size)
    return known


def _anonymous_batch(key: Key) -> bool:
    return isinstance(key, tuple) and key[1] == 0


def _keys(inputs: Sequence[Input]) -> Iterator[Key]:
    for each in inputs:
        if each.values:
            yield from ((each.name, place) for place in range(each.length))
        else:
            for place, dim in enumerate(each.dims):
                if not isinstance(dim, int):
                    yield dim or (each.name, place)


def _places(given: Input | None, found: Range) -> Iterator[tuple[Key, int]]:
    """(key, place) of each dimension of a range that may move."""
    for place in range(len(found.least)):
        if given is None or given.values or given.rank != len(found.least):
            yield (given.name if given else "", place), place
        elif not isinstance(given.dims[place], int):
            yield given.dims[place] or (given.name, place), place  # type: ignore[misc]


def _choices(key: Key, inputs: Sequence[Input], asked: Asked, hinted: Asked) -> list[Size]:
    """Ranges to try for one dimension, the likeliest first."""
    places = [(each, place) for each in inputs for at, place in _own(each) if at == key]
    each, place = places[0]
    batch = not each.values and (_is_batch(key) or (place == 0 and each.rank > 1 and not _named_otherwise(key)))
    usual = _usual(key, each, place, batch)
    for told in (asked, hinted):
        wanted = [
            dims[at] for other, at in places for dims in told.get(other.name, ()) if len(dims) == other.length
        ]  # fmt: skip
        if wanted:
            return _around(wanted, batch) + usual
    return usual


def _own(each: Input) -> Iterator[tuple[Key, int]]:
    if each.values:
        yield from (((each.name, place), place) for place in range(each.length))
    else:
        yield from (
            (dim or (each.name, place), place) for place, dim in enumerate(each.dims) if not isinstance(dim, int)
        )


def _around(wanted: Sequence[int], batch: bool) -> list[Size]:
    """The range of what is asked for; a batch also down to one and up to eight, where the model takes that."""
    often = Counter(wanted)
    tight = Size(min(wanted), max(often, key=lambda size: (often[size], size)), max(wanted))
    if batch:
        return [Size(1, tight.opt, max(tight.most, 8)), Size(1, tight.opt, tight.most), tight]
    return [tight]


def _usual(key: Key, each: Input, place: int, batch: bool) -> list[Size]:
    if batch:
        return list(_BATCHES)
    if each.values:
        return [Size(1, 2, 4), Size(1, 1, 1), Size(16, 32, 64)]
    name = key if isinstance(key, str) else ""
    if _IMAGE.match(name) or (each.rank in (4, 5) and place >= 2 and each.dtype.startswith("float")):
        return list(_IMAGES)
    return list(_LENGTHS if each.dtype.startswith("int") or each.rank == 2 or place == 1 else _OTHERS)


def _is_batch(key: Key) -> bool:
    return isinstance(key, str) and bool(_BATCH.match(key))


def _named_otherwise(key: Key) -> bool:
    return isinstance(key, str) and bool(re.search(r"(?i)seq|len|time|token|height|width|point|box|node", key))


def _picks(choices: Mapping[Key, Sequence[Size]]) -> Iterator[dict[Key, Size]]:
    """The first choice of all, then later ones, nearest first."""
    keys = list(choices)
    places = itertools.product(*(range(len(choices[key])) for key in keys))
    for picked in sorted(itertools.islice(places, 20_000), key=lambda one: (max(one, default=0), sum(one))):
        yield {key: choices[key][at] for key, at in zip(keys, picked, strict=True)}


def _of(each: Input, picked: Mapping[Key, Size]) -> Range:
    if each.values:
        sizes = [picked[each.name, place] for place in range(each.length)]
    else:
        sizes = [
            Size(dim, dim, dim) if isinstance(dim, int) else picked[dim or (each.name, place)]
            for place, dim in enumerate(each.dims)
        ]
    least, opt, most = (tuple(size[at] for size in sizes) for at in range(3))
    return Range(least, opt, most, each.values)
