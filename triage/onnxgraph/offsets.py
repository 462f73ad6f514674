"""Where the tensors of a data file lie, worked out where the model does not say it or says it wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from triage.onnxgraph.external import Stored, plausible

_ALIGNMENTS = (1, 8, 16, 64, 256, 4096, 65536)


class Layout(NamedTuple):
    """Offsets of all tensors of a file in their order; ``sure``: some that the model gives agree with them."""

    offsets: list[int]
    sure: bool
    how: str


def wrong(entries: Sequence[Stored], file_size: int) -> list[int]:
    """Places of tensors whose offset cannot be right: missing beside others, out of the file, or crossing another.

    Two tensors may share the very same bytes; they may not overlap in part.
    """
    bad = {
        place for place, entry in enumerate(entries)
        if (entry.offset or 0) < 0 or entry.end > file_size
    }  # fmt: skip
    placed = sorted(
        (place for place in range(len(entries)) if place not in bad and entries[place].size),
        key=lambda place: _span(entries[place]),
    )
    crossing: set[int] = set()
    reach, holder = -1, -1
    for place in placed:
        first, end = _span(entries[place])
        if holder >= 0 and first < reach and _span(entries[holder]) != (first, end):
            crossing |= {holder, place}
        if end > reach:
            reach, holder = end, place
    return sorted(bad | crossing)


def wrong_lengths(entries: Sequence[Stored]) -> list[int]:
    """Places of tensors whose length is not what their type and shape make it."""
    return [
        place for place, entry in enumerate(entries)
        if entry.size and entry.length is not None and entry.length != entry.size
    ]  # fmt: skip


def layouts(entries: Sequence[Stored], path: str) -> list[Layout]:
    """Ways in which the tensors may lie in their file, the surest first; several only where nothing decides."""
    size = os.path.getsize(path)
    bad = set(wrong(entries, size))
    gaps = [layout for layout in _gaps(entries, bad, size) if _looks_right(entries, layout, path)]
    if gaps:
        return gaps if len(gaps) == 1 else [layout._replace(sure=False) for layout in gaps]
    found: dict[tuple[int, ...], Layout] = {}
    for order, how in ((range(len(entries)), "one after the other"), (_by_size(entries), "sorted by size")):
        for alignment in _ALIGNMENTS:
            offsets = _in_order(entries, list(order), alignment)
            end = max((offset + entry.size for offset, entry in zip(offsets, entries, strict=True)), default=0)
            agreed = [
                entry.offset == offset
                for entry, offset in zip(entries, offsets, strict=True)
                if entry.offset is not None
            ]
            kept = all(entries[place].offset == offset for place, offset in enumerate(offsets) if place not in bad)
            if end == size and kept:
                layout = Layout(offsets, sum(agreed) > len(agreed) // 2 and sum(agreed) > 1, how)
                if tuple(offsets) not in found and _looks_right(entries, layout, path):
                    found[tuple(offsets)] = layout
    return sorted(found.values(), key=lambda layout: not layout.sure)


def _span(entry: Stored) -> tuple[int, int]:
    return (entry.offset or 0), entry.end


def _gaps(entries: Sequence[Stored], bad: set[int], size: int) -> Iterator[Layout]:
    """One tensor is lost, and the others leave one hole of its size."""
    silent = [place for place in sorted(bad) if entries[place].offset is None]
    for lost in silent or sorted(bad):
        others = [entry for place, entry in enumerate(entries) if place != lost and entry.size]
        spans = sorted({_span(entry) for entry in others})
        if not spans or spans[0][0] < 0 or spans[-1][1] > size:
            continue
        ends, starts = [0, *(end for _, end in spans)], [*(first for first, _ in spans), size]
        if any(start < end for start, end in zip(starts, ends, strict=True)):
            continue
        holes = [(end, start) for start, end in zip(starts, ends, strict=True) if start > end]
        if len(holes) == 1 and holes[0][1] - holes[0][0] == entries[lost].size:
            offsets = [holes[0][0] if place == lost else entry.offset or 0 for place, entry in enumerate(entries)]
            yield Layout(offsets, sure=True, how="in the one hole that the others leave")


def _by_size(entries: Sequence[Stored]) -> list[int]:
    return sorted(range(len(entries)), key=lambda place: entries[place].size)


def _in_order(entries: Sequence[Stored], order: list[int], alignment: int) -> list[int]:
    offsets, at = [0] * len(entries), 0
    for place in order:
        at = -(-at // alignment) * alignment
        offsets[place] = at
        at += entries[place].size
    return offsets


def _looks_right(entries: Sequence[Stored], layout: Layout, path: str) -> bool:
    moved = [entry._replace(offset=offset) for entry, offset in zip(entries, layout.offsets, strict=True)]
    return plausible(path, moved)
