"""One row of a log as styled segments: gutter, text, marks of clipping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from triage.tui.document import Line
from triage.tui.widgets._log_cells import Slice, whole

EVIDENCE, CONTEXT, CONSEQUENCE = "evidence", "context", "consequence"
SIGNS = {EVIDENCE: "▶", CONTEXT: "│", CONSEQUENCE: "·", "error": "✗"}
MARK = "◆"
CURSOR = ">"
CONTINUED = "┆"
CLIPPED_RIGHT, CLIPPED_LEFT = "»", "«"
NUMBERS_FROM = 36  # columns below which line numbers give way to the text
Span = tuple[int, int, str]


class Role(NamedTuple):
    """What a line is in the answer, and which part of it decides: places in its shown text, or the words themselves."""

    kind: str
    start: int = 0
    end: int = 0
    part: str = ""


class Row(NamedTuple):
    """What is drawn in one row of the screen."""

    line: Line
    text: str
    slice: Slice
    first: bool
    left: int
    spans: Sequence[Span]
    role: str
    marked: bool
    cursor: bool
    selected: bool


class Gutter(NamedTuple):
    """How wide the line numbers are; 0: none are shown."""

    digits: int

    @property
    def width(self) -> int:
        """Cells: mark, sign, number, and what stands between number and text."""
        return self.digits + 3

    @classmethod
    def of(cls, width: int, last: int) -> Gutter:
        """The gutter of a screen so wide, for numbers up to the last."""
        return cls(max(3, len(str(last))) if width >= NUMBERS_FROM else 0)


def shown(line: Line) -> str:
    """The text of a line, with a remark where it is cut."""
    return f"{line.text} … {line.cut:,} more bytes" if line.cut else line.text


def role_span(role: Role, text: str) -> Span | None:
    """Where in a shown text the deciding part is."""
    if role.part:
        at = text.find(role.part)
        return (at, at + len(role.part), "part") if at >= 0 else None
    return (role.start, min(role.end, len(text)), "part") if role.end > role.start else None


class Painter:
    """Draws rows with the styles of the moment."""

    def __init__(self, base: Style, style: Callable[[str], Style], gutter: Gutter, width: int) -> None:
        self._base = base
        self._style = style
        self._gutter = gutter
        self._width = width

    def blank(self) -> Strip:
        """A row without text."""
        return Strip.blank(self._width, self._base)

    def row(self, row: Row) -> Strip:
        """A row, exactly as wide as the screen."""
        style = self._line_style(row)
        room = max(0, self._width - self._gutter.width)
        segments = [*self._gutter_of(row, style), *self._text(row, style, room)]
        return Strip(segments, self._gutter.width + room).adjust_cell_length(self._width, style)

    def _line_style(self, row: Row) -> Style:
        style = self._base
        if row.role:
            style += self._style(row.role)
        if row.selected:
            style += self._style("selected")
        if row.cursor:
            style += self._style("cursor")
        return style

    def _gutter_of(self, row: Row, line: Style) -> list[Segment]:
        number = line + self._style("gutter")
        digits = self._gutter.digits
        if not row.first:
            return [Segment(" " * (digits + 2) + CONTINUED, number)]
        mark = Segment(MARK if row.marked else " ", line + self._style("mark"))
        sign = Segment(SIGNS.get(row.role, " "), line)
        count = f"{row.line.number:>{digits}}" if digits else ""
        return [mark, sign, Segment(count + (CURSOR if row.cursor else " "), number)]

    def _text(self, row: Row, style: Style, room: int) -> list[Segment]:
        start, end, pad, cells = row.slice
        segments = [Segment(" " * pad, style)] if pad else []
        segments += _styled(row, start, end, style, self._style)
        segments.append(Segment(" " * max(0, room - cells), style))
        if row.left < 0:
            return segments
        strip = Strip(segments, max(room, cells))
        if row.left and row.text and room:
            strip = Strip.join([Strip([Segment(CLIPPED_LEFT, self._style("clip"))], 1), strip.crop(1)])
        if end < len(row.text) and room > 1:
            strip = Strip.join([strip.crop(0, room - 1), Strip([Segment(CLIPPED_RIGHT, self._style("clip"))], 1)])
        return list(strip)


def _styled(row: Row, start: int, end: int, style: Style, named: Callable[[str], Style]) -> list[Segment]:
    """The characters of a row, cut where a span begins or ends."""
    spans = [(*whole(row.text, low, high), name) for low, high, name in row.spans if low < end and high > start]
    edges = {start, end}
    for low, high, _ in spans:
        edges.update((max(low, start), min(high, end)))
    places = sorted(edges)
    segments: list[Segment] = []
    for low, high in pairwise(places):
        look = style
        for first, last, name in spans:
            if first <= low < last:
                look += named(name)
        segments.append(Segment(row.text[low:high], look))
    return segments
