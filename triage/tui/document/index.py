r"""Where lines begin: how many line ends stand before each block of 64 KiB.

Memory is 8 bytes a block, so 128 KiB for 1 GB of log (16,384 blocks), and the places of
the line ends in the last CACHED blocks that were asked for: 0.2 MiB for ordinary lines,
16 MiB where every byte is a line end. It does not depend on how many lines there are.

Lines are counted as the diagnosis counts them: each ``\n`` ends one, and text after
the last one is a line too. One thread may add while others look up.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate
from typing import NamedTuple

from triage.tui.document.store import TAIL, Store

BLOCK = 1 << 16
STEP = 16  # blocks that are read at once
CACHED = 64


class _Block(NamedTuple):
    """A block's size when it was read, and the offsets in it behind each line end."""

    size: int
    ends: array[int]


class Index:
    """Checkpoints over one state of the bytes; a file that was rewritten gets a new one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._adding = threading.Lock()
        self._caching = threading.Lock()
        self._before = array("Q", [0])
        self._cache: OrderedDict[int, _Block] = OrderedDict()
        self.counted = 0
        self.ends = 0
        self._open = False
        self.tail = b""

    @property
    def lines(self) -> int:
        """Lines known so far, with one that has no end yet."""
        return self.ends + self._open

    def advance(self, budget: int) -> int:
        """Counts up to about ``budget`` more bytes; gives the bytes counted in all."""
        with self._adding:
            goal = min(self._store.size, self.counted + max(budget, 1))
            while self.counted < goal:
                room = STEP * BLOCK - self.counted % BLOCK
                data = self._store.read(self.counted, min(room, goal - self.counted))
                if not data:
                    break
                self._count(data)
        return self.counted

    def _count(self, data: bytes) -> None:
        place = 0
        while place < len(data):
            edge = min(len(data), place + BLOCK - self.counted % BLOCK)
            ends = self.ends + data.count(b"\n", place, edge)
            counted = self.counted + edge - place
            if counted % BLOCK == 0:
                self._before.append(ends)
            self.ends, self.counted, place = ends, counted, edge
        self._open = not data.endswith(b"\n")
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]

    def start(self, line: int) -> int:
        """Offset of a line's first byte; the offset behind all lines for numbers beyond them."""
        if line <= 1:
            return 0
        if line - 1 > self.ends:
            return self.counted
        return self._behind(line - 1)

    def end(self, line: int) -> int:
        """Offset behind a line's last byte, its line end not counted."""
        if line > self.ends:
            return self.counted
        return self._behind(line) - 1 if line > 0 else 0

    def line_at(self, offset: int) -> int:
        """Number of the line that holds an offset; 0 where there is no line."""
        offset = max(0, min(offset, self.counted - 1))
        block = min(offset // BLOCK, len(self._before) - 1)
        inside = bisect_left(self._ends(block), offset - block * BLOCK + 1)
        return min(self._before[block] + inside + 1, self.lines)

    def _behind(self, number: int) -> int:
        """Offset behind the line end with that number, from 1 on."""
        block = bisect_left(self._before, number) - 1
        ends = self._ends(block)
        place = number - self._before[block] - 1
        return block * BLOCK + (ends[place] if place < len(ends) else 0)

    def _ends(self, block: int) -> array[int]:
        wanted = min(BLOCK, self.counted - block * BLOCK)
        with self._caching:
            held = self._cache.get(block)
            if held is not None and held.size >= wanted:
                self._cache.move_to_end(block)
                return held.ends
        data = self._store.read(block * BLOCK, BLOCK)
        held = _Block(len(data), _line_ends(data))
        with self._caching:
            self._cache[block] = held
            self._cache.move_to_end(block)
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return held.ends


def _line_ends(data: bytes) -> array[int]:
    ends = array("I", accumulate(len(part) + 1 for part in data.split(b"\n")))
    ends.pop()  # what follows the last line end
    return ends
