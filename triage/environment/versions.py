"""Compares versions as versions: 10.13 is above 10.3, 2.0rc1 below 2.0."""

from __future__ import annotations

import re

_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_PART = re.compile(r"\d+|[a-z]+")
_BEFORE = frozenset(("a", "b", "c", "rc", "alpha", "beta", "pre", "preview", "dev", "ea"))
_Key = tuple[tuple[int, ...], int, tuple[tuple[str, int], ...], str]


def direction(before: str | None, after: str | None) -> str:
    """``up``, ``down``, ``same``, or empty where either has no number to compare.

    >>> direction("10.3.0", "10.13.2")
    'up'
    """
    if before is None or after is None:
        return ""
    old, new = _key(before), _key(after)
    if old is None or new is None:
        return "same" if before == after else ""
    return "same" if old == new else "up" if old < new else "down"


def _key(version: str) -> _Key | None:
    """Release without zeros at its end; 0 before, 1 at, 2 after it; what follows; the local part."""
    public, _, local = version.lower().strip().removeprefix("v").partition("+")
    found = _RELEASE.match(public)
    if found is None:
        return None
    release = [int(part) for part in found[0].split(".")]
    while len(release) > 1 and not release[-1]:
        release.pop()
    rest = _PART.findall(public[found.end() :])
    place = 1 if not rest else 0 if rest[0] in _BEFORE else 2
    words = tuple(("", int(part)) if part.isdigit() else (part, 0) for part in rest)
    return tuple(release), place, words, local


def short(before: str, after: str) -> tuple[str, str]:
    """Both versions up to the part in which they differ, two parts at least.

    >>> short("10.3.0.26", "10.7.0.23")
    ('10.3', '10.7')
    """
    old, new = before.split("."), after.split(".")
    same = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if same is None or not all(re.fullmatch(r"[\d.]+", text) for text in (before, after)):
        return before, after
    count = max(2, same + 1)
    return ".".join(old[:count]), ".".join(new[:count])
