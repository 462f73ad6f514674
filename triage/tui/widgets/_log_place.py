"""Where a view stands in lines of which each takes one row or more. Plain arithmetic, no screen.

Nothing here walks further than one screen, whatever the number of lines.
"""

from __future__ import annotations

from collections.abc import Callable


class Place:
    """The first row that is seen: line ``top`` (from 0 on) and row ``sub`` of it."""

    def __init__(self, rows_of: Callable[[int], int]) -> None:
        self._rows_of = rows_of
        self.count = 0
        self.height = 1
        self.top = 0
        self.sub = 0

    def visible(self) -> list[tuple[int, int]]:
        """(line, row of it) for each row of the screen that has text."""
        rows: list[tuple[int, int]] = []
        index, sub = self.top, self.sub
        while index < self.count and len(rows) < self.height:
            upto = min(self._rows_of(index), sub + self.height - len(rows))
            rows += [(index, row) for row in range(sub, upto)]
            index, sub = index + 1, 0
        return rows

    def above(self, index: int) -> tuple[int, int]:
        """The place at which the last row of a line is the last one seen."""
        left = self.height
        while index >= 0:
            rows = self._rows_of(index)
            if rows >= left:
                return index, rows - left
            left -= rows
            index -= 1
        return 0, 0

    def end(self) -> tuple[int, int]:
        """The lowest place: the last row of all at the bottom."""
        return self.above(self.count - 1)

    @property
    def at_end(self) -> bool:
        """Whether the last row is seen."""
        return (self.top, self.sub) >= self.end()

    def clamp(self) -> None:
        """Comes back to where there are lines."""
        self.top = max(0, min(self.top, self.count - 1))
        self.sub = max(0, min(self.sub, self._rows_of(self.top) - 1)) if self.count else 0
        self.top, self.sub = min((self.top, self.sub), self.end())

    def move(self, rows: int) -> None:
        """Down by rows, up for a negative number."""
        top, sub = self.top, self.sub + rows
        while sub < 0 and top > 0:
            top -= 1
            sub += self._rows_of(top)
        while top < self.count - 1 and sub >= (held := self._rows_of(top)):
            sub -= held
            top += 1
        self.top, self.sub = top, max(0, sub)
        self.clamp()

    def show(self, index: int) -> None:
        """The least move that shows a line: all of it, or its first rows."""
        if (index, 0) < (self.top, self.sub):
            self.top, self.sub = index, 0
        else:
            self.top, self.sub = max((self.top, self.sub), min(self.above(index), (index, 0)))

    def center(self, index: int, *, always: bool = False) -> None:
        """A line at a third of the screen, unless it is seen already."""
        if always or index not in {line for line, _ in self.visible()}:
            self.top, self.sub = index, 0
            self.move(-(self.height // 3))
