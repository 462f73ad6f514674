"""Where along a log the lines that look like errors are.

Places are kept exactly up to EXACT of them, beyond that as one count (up to 255) a block
of 64 KiB: 16 KiB for 1 GB of log, and at most 512 KiB of places.
"""

from __future__ import annotations

import re
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable

from triage.tui.document.errorlike import error_lines
from triage.tui.document.index import BLOCK
from triage.tui.document.searching import Lines, Piece, ahead, read_lines

EXACT = 1 << 16
_SOME = re.compile(b"[^\\0]")


class ErrorMap:
    """Grows with one pass over the lines; answers for what was looked at so far."""

    def __init__(self) -> None:
        self._counts = bytearray()
        self._places = array("Q")
        self._overflow = False
        self._looking = threading.Lock()
        self._drawn: tuple[tuple[int, int, int], list[int]] = ((-1, -1, -1), [])
        self.next_line = 1
        self.upto = 0

    @property
    def total(self) -> int:
        """Error-like lines found so far; a lower bound once there are very many."""
        return sum(self._counts) if self._overflow else len(self._places)

    def look(self, document: Lines, budget: int) -> int:
        """Looks at about ``budget`` more bytes of whole lines that are known; gives the offset reached."""
        with self._looking:
            goal = self.upto + budget
            while self.upto < goal and self.next_line <= document.lines:
                if not self._take(document):
                    break
        return self.upto

    def _take(self, document: Lines) -> bool:
        """The next piece; a last line without an end waits until it has one, or there is nothing more to come."""
        known = document.lines
        growing = not document.finished and document.end_of(known) >= document.size
        if self.next_line == known and growing:
            return False
        piece = next(ahead(document, self.next_line), None)
        if piece is None:
            return False
        end = piece.first + piece.lines
        self.next_line = min(end, known) if growing else end
        self._note(document, piece)
        self.upto = document.start_of(self.next_line)
        return True

    def _note(self, document: Lines, piece: Piece) -> None:
        """Keeps the error-like lines of a piece that were looked at in full."""
        for number, _ in error_lines(piece):
            if number >= self.next_line:
                break
            offset = document.start_of(number)
            block = offset // BLOCK
            if block >= len(self._counts):
                self._counts.extend(bytes(block + 1 - len(self._counts)))
            self._counts[block] = min(255, self._counts[block] + 1)
            if len(self._places) < EXACT:
                if not self._places or self._places[-1] < offset:
                    self._places.append(offset)
            else:
                self._overflow = True

    def buckets(self, count: int, size: int) -> list[int]:
        """How many lie in each of ``count`` equal parts of ``size`` bytes."""
        key = (count, size, self.upto)
        if self._drawn[0] != key:
            self._drawn = (key, self._heights(count, size))
        return list(self._drawn[1])

    def _heights(self, count: int, size: int) -> list[int]:
        heights = [0] * count
        if not size or not count:
            return heights
        if not self._overflow:
            for offset in self._places:
                heights[min(count - 1, offset * count // size)] += 1
            return heights
        for block, number in enumerate(bytes(self._counts)):
            if number:
                heights[min(count - 1, block * BLOCK * count // size)] += number
        return heights

    def nearest(self, document: Lines, line: int, forward: bool, stop: Callable[[], bool]) -> int | None:
        """The next or previous error-like line after or before a line; looks also where look has not been."""
        block = document.start_of(line) // BLOCK
        last = max(0, document.start_of(document.lines + 1) - 1) // BLOCK
        while 0 <= block <= last and not stop():
            numbers = _in_block(document, block)
            if forward:
                place = bisect_left(numbers, line + 1)
                if place < len(numbers):
                    return numbers[place]
                block = self._next_block(block + 1)
            else:
                place = bisect_left(numbers, line)
                if place:
                    return numbers[place - 1]
                block = self._previous_block(block - 1)
        return None

    def _next_block(self, block: int) -> int:
        seen = self.upto // BLOCK
        if block >= seen:
            return block
        found = _SOME.search(self._counts, block, max(block, min(seen, len(self._counts))))
        return found.start() if found else seen

    def _previous_block(self, block: int) -> int:
        seen = min(self.upto // BLOCK, len(self._counts))
        if self.upto // BLOCK > block >= seen:
            block = seen - 1
        while 0 <= block < seen and not self._counts[block]:
            block -= 1
        return block


def _in_block(document: Lines, block: int) -> list[int]:
    """Error-like lines that start in a block."""
    first = document.line_at(block * BLOCK)
    if document.start_of(first) < block * BLOCK:
        first += 1
    last = document.line_at((block + 1) * BLOCK - 1)
    if first < 1 or first > last:
        return []
    return [number for number, _ in error_lines(read_lines(document, first, last))]
