"""Pairing of names that two sides use for the same tensor: only where there is one way to do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import permutations

_NOISE = ("serving_default", "onnx", "module", "model", "graph", "tensor")
_MEANINGS = {
    "mask": "mask", "masks": "mask", "type": "type", "types": "type", "segment": "type", "segments": "type",
    "position": "position", "positions": "position", "pos": "position", "past": "past", "cache": "past", "key": "key",
    "value": "value", "query": "query", "label": "label", "labels": "label", "target": "label", "targets": "label",
    "length": "length", "lengths": "length", "len": "length", "lens": "length", "decoder": "decoder",
    "encoder": "encoder", "left": "left", "right": "right", "mean": "mean", "std": "std",
    "weight": "weight", "weights": "weight", "min": "min", "max": "max", "start": "start", "end": "end",
}  # fmt: skip
_DECISIVE = {"mask", "type", "position", "past", "label", "length"}
_MOST = 5  # names for which every pairing is looked at


class Pairing:
    """Old name -> new name; ``alike`` says that the names themselves agree."""

    def __init__(self, pairs: dict[str, str], *, alike: bool) -> None:
        self.pairs = pairs
        self.alike = alike


def pair(ours: Sequence[str], theirs: Sequence[str], fits: Callable[[str, str], bool | None]) -> Pairing | None:
    """The one way to pair all names of two sides; None where there is none, or more than one.

    Args:
        ours: names that only we have.
        theirs: names that only they have.
        fits: whether ours can be theirs by type and shape; None where that is not known.
    """
    if not ours or len(ours) != len(theirs):
        return None
    pairs = alike(ours, theirs)
    left = [name for name in ours if name not in pairs]
    free = [name for name in theirs if name not in pairs.values()]
    if not left:
        return Pairing(pairs, alike=True)
    ways = []
    for order in permutations(free) if len(left) <= _MOST else ():
        found = [(one, other) for one, other in zip(left, order, strict=True)]
        verdicts = [fits(one, other) if not clash(one, other) else False for one, other in found]
        if False not in verdicts and (len(left) == 1 or None not in verdicts):
            ways.append(dict(found))
    return Pairing(pairs | ways[0], alike=False) if len(ways) == 1 else None


def clash(one: str, other: str) -> bool:
    """Says whether two names speak of different things, such as a mask and token types."""
    first, second = (_meanings(name) for name in (one, other))
    return first != second and bool((first and second) or (first | second) & _DECISIVE)


def bare(name: str) -> str:
    """A name without what exporters put round it: case, separators, ``:0``, prefixes of scopes."""
    text = re.sub(r":\d+$", "", name.strip())
    words = [word for word in _words(text) if word not in _NOISE]
    return "".join(words) or text.lower()


def alike(ours: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """Ours -> theirs for names that differ in case, separators, prefixes or ``:0`` only, each with one partner."""
    found: dict[str, str] = {}
    for form in (bare, _last):
        left = [name for name in ours if name not in found]
        free = [name for name in theirs if name not in found.values()]
        for name in left:
            same = [other for other in free if form(other) == form(name)]
            back = [other for other in left if form(other) == form(name)]
            if len(same) == 1 and len(back) == 1 and form(name):
                found[name] = same[0]
    return found


def _last(name: str) -> str:
    """The last part of a path-like name."""
    parts = [part for part in re.split(r"[/.:]+", re.sub(r":\d+$", "", name)) if part]
    return "".join(_words(parts[-1])) if len(parts) > 1 or not re.search(r"[/.:]", name) else ""


def _words(name: str) -> list[str]:
    spaced = re.sub(r"serving_default", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name))
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def _meanings(name: str) -> set[str]:
    return {_MEANINGS[word] for word in _words(name) if word in _MEANINGS}
