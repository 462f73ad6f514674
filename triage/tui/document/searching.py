"""Walks over the lines of a document in pieces: search, and filters in and out.

A piece is a run of whole lines of about PIECE bytes, searched as raw bytes with the
colour codes taken out. Of one line the first LONGEST bytes are searched. Everything is a
generator that gives control back after each piece, so a thread can be told to stop.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from triage.ingest.scan import clean
from triage.tui.document.pattern import Pattern, joined

PIECE = 1 << 20
LONGEST = 8 << 20
MOST_LINES = 5_000_000


class Hit(NamedTuple):
    """A line, and the bytes of it that match once its colour codes are out."""

    line: int
    start: int
    end: int


class Step(NamedTuple):
    """How far a search is, 0 to 1, and its hit in the last step."""

    done: float
    hit: Hit | None = None


class Batch(NamedTuple):
    """Lines that a filter keeps: up to which line was looked, how far that is, and whether more are kept than given."""

    lines: array[int]
    upto: int
    done: float
    capped: bool = False


class Piece(NamedTuple):
    """Whole lines, the number of the first one, and how many they are."""

    first: int
    lines: int
    data: bytes


class Lines(Protocol):
    """What the walks need of a document."""

    finished: bool
    """Nothing more comes."""

    @property
    def lines(self) -> int:
        """Lines known so far."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    @property
    def complete(self) -> bool:
        """Whether all lines are known."""

    def index(self, budget: int = ...) -> float:
        """Learns of more lines."""

    def start_of(self, line: int) -> int:
        """Offset of a line."""

    def end_of(self, line: int) -> int:
        """Offset behind a line, its end not counted."""

    def line_at(self, offset: int) -> int:
        """The line that holds an offset."""

    def raw(self, offset: int, size: int) -> bytes:
        """Bytes as they are."""


def read_lines(document: Lines, first: int, last: int) -> Piece:
    """The bytes of some lines, fit for searching; a line longer than LONGEST stands alone and is cut."""
    start = document.start_of(first)
    data = clean(document.raw(start, min(document.end_of(last) - start, LONGEST)))
    if b"\r\n" in data or data.endswith(b"\r"):
        data = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
    return Piece(first, last - first + 1, data)


def ahead(document: Lines, line: int) -> Iterator[Piece]:
    """Pieces from a line to the end; learns of more lines on its way. A line that has no end yet waits."""
    done = -1.0
    while True:
        known = document.lines - (not document.complete)
        if line <= known:
            goal = document.start_of(line) + PIECE
            last = known if document.end_of(known) <= goal else max(line, min(known, document.line_at(goal) - 1))
            yield read_lines(document, line, last)
            line, done = last + 1, -1.0
        elif document.complete or (now := document.index(PIECE)) <= done:
            return
        else:
            done = now


def back(document: Lines, line: int) -> Iterator[Piece]:
    """Pieces from a line to the start, the last lines first."""
    line = min(line, document.lines)
    while line >= 1:
        goal = document.end_of(line) - PIECE
        first = 1 if goal <= 0 else min(line, document.line_at(goal) + 1)
        yield read_lines(document, first, line)
        line = first - 1


def hits(piece: Piece, pattern: Pattern) -> Iterator[Hit]:
    """The first hit of each line that has one, in order."""
    data, end = piece.data, len(piece.data)
    number, counted, place = piece.first, 0, 0
    while place <= end:
        found = pattern.find(data, place)
        if found is None:
            return
        begin = data.rfind(b"\n", 0, found[0]) + 1
        number += data.count(b"\n", counted, begin)
        counted = begin
        yield Hit(number, found[0] - begin, found[1] - begin)
        place = data.find(b"\n", found[0]) + 1
        if place == 0:
            return


def search(document: Lines, pattern: Pattern, line: int, forward: bool) -> Iterator[Step]:
    """Steps towards the nearest line with a hit, from a line on (that line too)."""
    total = max(1, document.size)
    for piece in ahead(document, max(1, line)) if forward else back(document, line):
        found = hits(piece, pattern)
        hit = next(found, None)
        if hit is not None and not forward:
            for hit in found:  # noqa: B007  the last one is wanted
                pass
        at = document.start_of(piece.first)
        yield Step(at / total if forward else 1 - at / total, hit)
        if hit is not None:
            return
    yield Step(1.0)


def find(
    document: Lines, pattern: Pattern, line: int, forward: bool, stop: Callable[[], bool] = lambda: False
) -> Hit | None:
    """The hit that search ends with; None without one or when told to stop."""
    for step in search(document, pattern, line, forward):
        if step.hit is not None or stop():
            return step.hit
    return None


def matching(
    document: Lines, keep: Sequence[Pattern], drop: Sequence[Pattern], line: int = 1, room: int = MOST_LINES
) -> Iterator[Batch]:
    """Lines that one of ``keep`` hits (all where it is empty) and none of ``drop``, in batches.

    Ends with a batch that is ``capped`` when more than ``room`` lines are kept.
    """
    wanted, unwanted = joined(tuple(keep)), joined(tuple(drop))
    total = max(1, document.size)
    for piece in ahead(document, line):
        numbers = _kept(piece, wanted, unwanted)
        last = piece.first + piece.lines - 1
        capped = len(numbers) > room
        if capped:
            del numbers[room:]
        room -= len(numbers)
        yield Batch(numbers, last, document.end_of(last) / total, capped)
        if capped:
            return


def _kept(piece: Piece, wanted: Pattern | None, unwanted: Pattern | None) -> array[int]:
    everything = range(piece.first, piece.first + piece.lines)
    candidates = everything if wanted is None else [hit.line for hit in hits(piece, wanted)]
    if unwanted is None or not candidates:
        return array("Q", candidates)
    dropped = {hit.line for hit in hits(piece, unwanted)}
    return array("Q", [number for number in candidates if number not in dropped])
