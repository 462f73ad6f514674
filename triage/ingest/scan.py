"""One multi-pattern pass over the raw bytes; only lines with a literal are looked at.

The pass reads pieces of whole lines. Where a literal of a pattern was seen, the
line is peeled and the line pattern is tried, so a gigabyte of ordinary lines costs
what Hyperscan costs, and memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from triage.ingest.wrappers import peel, strip_colour
from triage.rulebook.book import Rulebook

LONG_LINE = 16384
_AROUND = 6144
HITS_PER_PATTERN = 50
HITS_PER_LOG = 12_000
TEXT_BYTES = 4096
HITS_PER_FACT = 16
SIDE_LINES = 40
FOLLOWING_LINES = 400
SIDE_BYTES = 600
CONTEXT_LINES = 2
CONTEXT_BYTES = 1024
TRACEBACK_BYTES, FRAMES = 16 << 10, 24


class RawHit(NamedTuple):
    """A pattern confirmed in a line; everything still bytes, decoded only when shown.

    ``frames`` are the lines that name a file of the Python traceback that ends here.
    """

    pattern: int
    line: int
    text: bytes
    start: int
    end: int
    groups: tuple[bytes | None, ...]
    before: bytes
    after: bytes
    frames: bytes = b""


class Scanner:
    """Feeds pieces of one log to the database and keeps the confirmed hits."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._counts: dict[int, int] = {}
        self._full: set[int] = set()
        self._done: set[int] = set()
        self.hits: list[RawHit] = []
        self._above = b""
        self._below = b""
        self._side: dict[int, list[tuple[int, bytes]]] = {}

    def feed(self, data: bytes, first_line: int, events: Sequence[tuple[int, int]], below: bytes = b"") -> int:
        """Confirms the events of one piece whose first line has the given number; gives the number after it.

        ``below`` is the start of the next piece; the end of the last one is remembered.
        """
        self._below = below[:CONTEXT_BYTES]
        number, counted = self._look(data, first_line, events) if events else (first_line, 0)
        self._above = (self._above + data[-CONTEXT_BYTES:])[-CONTEXT_BYTES:]
        return number + data.count(b"\n", counted)

    def _look(self, data: bytes, first_line: int, events: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """The number of the last line looked at, and where it starts."""
        announced, full, done = self._book.announced, self._full, self._done
        start = end = -1
        number, counted = first_line, 0
        wanted: dict[int, int] = {}
        for literal, position in events:
            if literal in done:
                continue
            if position > end:
                if wanted:
                    self._confirm(data, start, end, number, wanted)
                    wanted = {}
                start = data.rfind(b"\n", 0, position) + 1
                end = data.find(b"\n", position)
                if end < 0:
                    end = len(data)
                number += data.count(b"\n", counted, start)
                counted = start
            awake = False
            for pattern in announced(literal):
                if pattern not in full:
                    awake = True
                    wanted.setdefault(pattern, position)
            if not awake:
                done.add(literal)
        if wanted:
            self._confirm(data, start, end, number, wanted)
        return number, counted

    def _confirm(self, data: bytes, start: int, end: int, number: int, wanted: dict[int, int]) -> None:
        kinds = self._book.kinds
        line = b""
        if end - start <= LONG_LINE:
            line = peel(data[start:end])
        for index, position in wanted.items():
            text = line or peel(data[max(start, position - _AROUND) : min(end, position + _AROUND)])
            if kinds[index] in "naut":
                self._postpone(index, number, text)
                continue
            found, text = self._search(index, text)
            if found is None:
                continue
            before = after = frames = b""
            if kinds[index] == "m":
                before = _before(data, start) if start > CONTEXT_BYTES else _before(self._above + data[:start], None)
                after = _after(data, end) if end + CONTEXT_BYTES < len(data) else _after(data[end:] + self._below, 0)
                frames = _frames(data, start) if before else b""
            self.hits.append(_trimmed(index, number, text, found, before, after)._replace(frames=frames))
            seen = self._counts[index] = self._counts.get(index, 0) + 1
            if seen >= (HITS_PER_PATTERN if kinds[index] == "m" else HITS_PER_FACT) or len(self.hits) >= HITS_PER_LOG:
                self._full.add(index)

    def _search(self, index: int, text: bytes) -> tuple[Sequence[tuple[int, int]] | None, bytes]:
        search = self._book.pattern(index).search
        found = search(text)
        if found is None and b"\\n" in text:
            text = text.replace(b"\\n", b"\n")
            found = search(text)
        return found, text

    def _postpone(self, index: int, number: int, text: bytes) -> None:
        """Conditions of a rule are looked at only if the rule itself was found."""
        waiting = self._side.setdefault(index, [])
        waiting.append((number, text[:SIDE_BYTES]))
        if len(waiting) >= (FOLLOWING_LINES if self._book.kinds[index] == "t" else SIDE_LINES):
            self._full.add(index)

    def settle(self) -> list[RawHit]:
        """All hits, with the conditions of the rules that were found."""
        owners, kinds = self._book.owners, self._book.kinds
        speaking = {owners[hit.pattern] for hit in self.hits if kinds[hit.pattern] == "m"}
        for index, waiting in self._side.items():
            if owners[index] not in speaking:
                continue
            for number, text in waiting:
                found, shown = self._search(index, text)
                if found is not None:
                    begin, stop = found[0]
                    self.hits.append(RawHit(index, number, shown, begin, stop, (), b"", b""))
                    if kinds[index] != "t":
                        break
        self._side.clear()
        return self.hits


def _groups(found: Sequence[tuple[int, int]], text: bytes) -> tuple[bytes | None, ...]:
    return tuple(bytes(text[start:end]) if start >= 0 else None for start, end in found[1:])


def _trimmed(
    index: int, number: int, text: bytes, found: Sequence[tuple[int, int]], before: bytes, after: bytes
) -> RawHit:
    """A hit that keeps no more of a long line than what stands around the match."""
    begin, stop = found[0]
    groups = _groups(found, text)
    if len(text) > TEXT_BYTES:
        low = max(0, begin - TEXT_BYTES // 4)
        text = bytes(text[low : low + TEXT_BYTES])
        begin, stop = begin - low, min(stop - low, len(text))
    return RawHit(index, number, text, begin, stop, groups, before, after)


def _before(data: bytes, start: int | None) -> bytes:
    """The lines above a line that starts there; None: above the end of the data."""
    if start is None:
        start = len(data)
    edge = start
    for _ in range(CONTEXT_LINES):
        if edge <= 0:
            break
        edge = data.rfind(b"\n", max(0, start - CONTEXT_BYTES), edge - 1) + 1
        if edge == 0:
            break
    return bytes(data[max(edge, start - CONTEXT_BYTES, 0) : max(start - 1, 0)])


def _frames(data: bytes, start: int) -> bytes:
    """The lines of the traceback above a line that name a file; empty where the line above is no part of one."""
    low = max(0, start - TRACEBACK_BYTES)
    edge = data.rfind(b"\n", low, max(start - 1, 0)) + 1
    last = data[edge : max(start - 1, 0)]
    if b'File "' not in last and not last.lstrip(b" |").startswith((b"^", b"~")) and b"    " not in last:
        return b""
    begin = data.rfind(b"Traceback (most recent call last)", low, start)
    if begin < 0:
        return b""
    named = [line for line in data[begin:start].split(b"\n") if b'File "' in line]
    return b"\n".join(line[:400] for line in named[-FRAMES:])


def _after(data: bytes, end: int) -> bytes:
    edge = end
    for _ in range(CONTEXT_LINES):
        following = data.find(b"\n", edge + 1, end + CONTEXT_BYTES)
        if following < 0:
            edge = min(len(data), end + CONTEXT_BYTES)
            break
        edge = following
    return bytes(data[end + 1 : edge])


def find_events(database: Any, scratch: Any, data: Any) -> list[tuple[int, int]]:
    """(literal, end position) of every literal in a piece, in order of position."""
    events: list[tuple[int, int]] = []
    database.scan(data, match_event_handler=_collect, context=events, scratch=scratch)
    return events


def _collect(literal: int, _start: int, end: int, _flags: int, events: list[tuple[int, int]]) -> None:
    events.append((literal, end))


def clean(data: bytes) -> bytes:
    """A piece fit for scanning: no colours, no NULs. Line ends stay, so numbers stay."""
    if b"\x1b" in data:
        data = strip_colour(data)
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    return data
