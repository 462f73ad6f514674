"""Text in terminal cells: where rows break, what a window of cells shows."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from rich.cells import split_graphemes


class Slice(NamedTuple):
    """Characters from start to end; ``pad`` cells in front where a wide character was cut, ``cells`` in all."""

    start: int
    end: int
    pad: int
    cells: int


class Cells(NamedTuple):
    """Where each grapheme starts in the text, and in cells; both with the end as last entry."""

    starts: array[int]
    places: array[int]


@lru_cache(maxsize=64)
def _cells(text: str) -> Cells:
    spans, _ = split_graphemes(text)
    starts = array("I", (start for start, _, _ in spans))
    starts.append(len(text))
    return Cells(starts, array("I", accumulate((size for _, _, size in spans), initial=0)))


def width_of(text: str) -> int:
    """Cells that a text takes."""
    return len(text) if text.isascii() else _cells(text).places[-1]


@lru_cache(maxsize=256)
def wrapped(text: str, width: int) -> list[Slice]:
    """The rows of a text that is broken at ``width`` cells; one empty row for no text."""
    width = max(1, width)
    if not text:
        return [Slice(0, 0, 0, 0)]
    if text.isascii():
        size = len(text)
        return [Slice(at, min(at + width, size), 0, min(width, size - at)) for at in range(0, size, width)]
    starts, places = _cells(text)
    rows: list[Slice] = []
    at, last = 0, len(starts) - 1
    while at < last:
        upto = max(at + 1, bisect_right(places, places[at] + width) - 1)
        rows.append(Slice(starts[at], starts[upto], 0, places[upto] - places[at]))
        at = upto
    return rows


def cropped(text: str, left: int, width: int) -> Slice:
    """What of a text a window of cells shows."""
    if text.isascii():
        start, end = min(left, len(text)), min(left + width, len(text))
        return Slice(start, end, 0, end - start)
    starts, places = _cells(text)
    first = bisect_left(places, left)
    if first >= len(places):
        return Slice(len(text), len(text), 0, 0)
    last = max(first, bisect_right(places, left + width) - 1)
    pad = min(places[first] - left, width)
    return Slice(starts[first], starts[last], pad, pad + places[last] - places[first])


def whole(text: str, start: int, end: int) -> tuple[int, int]:
    """A span widened to whole graphemes, so that no style cuts one."""
    if text.isascii():
        return start, end
    starts = _cells(text).starts
    low = starts[max(0, bisect_right(starts, start) - 1)]
    return low, starts[min(len(starts) - 1, bisect_left(starts, end))]
