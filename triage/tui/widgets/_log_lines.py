"""The lines that a view goes through: all of a document, or those that a filter keeps."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict

from triage.tui.document import Document, Line, Pattern
from triage.tui.widgets._log_cells import Slice, cropped, width_of, wrapped
from triage.tui.widgets._log_rows import shown

HELD = 512


class ShownLines:
    """Line ``index`` (from 0 on) of the view, and the few lines that were drawn last."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.kept: array[int] | None = None
        self.pattern: Pattern | None = None
        self.wrap_at = 0
        self.page = 1
        self._lines: OrderedDict[int, Line] = OrderedDict()
        self._hits: dict[int, list[tuple[int, int]]] = {}

    @property
    def count(self) -> int:
        """Lines to go through."""
        return self.document.lines if self.kept is None else len(self.kept)

    def number(self, index: int) -> int:
        """The line number in the log."""
        if self.kept is None:
            return index + 1
        return self.kept[index] if index < len(self.kept) else 0

    def index_of(self, number: int) -> int:
        """Where a line is; where it is hidden, the next one that is not, or the last."""
        place = number - 1 if self.kept is None else bisect_left(self.kept, number)
        return max(0, min(place, self.count - 1))

    def line(self, index: int) -> Line:
        """A line; those that follow on the screen are read with it."""
        number = self.number(index)
        held = self._lines.get(number)
        if held is None:
            self._read(index)
            held = self._lines.get(number) or Line(number, "")
        else:
            self._lines.move_to_end(number)
        return held

    def _read(self, index: int) -> None:
        wanted = [self.number(at) for at in range(index, min(self.count, index + self.page))]
        for line in self.document.some([number for number in wanted if number not in self._lines]):
            self._lines[line.number] = line
        while len(self._lines) > max(HELD, 2 * self.page):
            self._hits.pop(self._lines.popitem(last=False)[0], None)

    def rows(self, index: int) -> int:
        """Rows that a line takes."""
        return len(wrapped(shown(self.line(index)), self.wrap_at)) if self.wrap_at else 1

    def width(self, index: int) -> int:
        """Cells that a line takes in one row."""
        return width_of(shown(self.line(index)))

    def slice(self, index: int, row: int, left: int, width: int) -> Slice:
        """What one row of a line shows."""
        text = shown(self.line(index))
        if not self.wrap_at:
            return cropped(text, left, width)
        rows = wrapped(text, self.wrap_at)
        return rows[min(row, len(rows) - 1)]

    def hits(self, line: Line) -> list[tuple[int, int]]:
        """Where the search text is in a line."""
        if self.pattern is None:
            return []
        found = self._hits.get(line.number)
        if found is None:
            found = self._hits[line.number] = self.pattern.spans(line.text)
        return found

    def seek(self, pattern: Pattern | None) -> None:
        """Highlights another search text."""
        self.pattern = pattern
        self._hits.clear()

    def forget(self, number: int = 0) -> None:
        """Forgets one line that has changed; all for 0."""
        if number:
            self._lines.pop(number, None)
            self._hits.pop(number, None)
        else:
            self._lines.clear()
            self._hits.clear()
