"""A table of any number of rows: a cursor, marks, columns that fit the room, a heading that stays."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from triage.bars import cells
from triage.tui.columns import GAP, Column, fitted, needed, widths

EDGE = 2  # signs before the first column: the cursor's, and the mark's
NEAR = 10  # rows before the end at which more are asked for
# a cell's text -> how it is coloured; the text itself says it, too
_MOODS = {"named": "good", "likely": "warn", "unknown": "bad", "new": "warn", "reopened": "bad", "verified": "good"}


class Table(ScrollView, can_focus=True):
    """Rows in columns; ``show`` replaces them, ``add`` appends. Rows have an ``id`` by ``key``."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading", "table--cursor", "table--message", "table--good", "table--warn", "table--bad",
    }  # fmt: skip
    DEFAULT_CSS = """
    Table { height: 1fr; width: 1fr; scrollbar-size: 1 1; overflow-y: scroll; }
    Table > .table--heading { color: $primary; text-style: bold; background: $surface; }
    Table > .table--cursor { background: $panel; text-style: bold; }
    Table:focus > .table--cursor { background: $primary; color: $background; text-style: bold; }
    Table > .table--message { color: $text-muted; }
    Table > .table--good { color: $text-success; }
    Table > .table--warn { color: $text-warning; }
    Table > .table--bad { color: $text-error; }
    """
    BINDINGS: ClassVar = [
        Binding("j,down", "move(1)", "Next", show=False, id="table.down"),
        Binding("k,up", "move(-1)", "Previous", show=False, id="table.up"),
        Binding("pagedown,ctrl+f,ctrl+d", "page(1)", "Page down", show=False, id="table.page_down"),
        Binding("pageup,ctrl+b,ctrl+u", "page(-1)", "Page up", show=False, id="table.page_up"),
        Binding("g,home", "ends(0)", "First", show=False, id="table.first"),
        Binding("G,end", "ends(1)", "Last", show=False, id="table.last"),
        Binding("h,left", "side(-8)", "Left", show=False, id="table.left"),
        Binding("l,right", "side(8)", "Right", show=False, id="table.right"),
        Binding("enter", "choose", "Open", id="table.open"),
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
    ]
    at: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another row, or a mark was set."""

    class Chosen(Message):
        """A row was chosen."""

    class Ends(Message):
        """The cursor comes near the end."""

    class Heading(Message):
        """A column's heading was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns: Sequence[Column] = columns
        self.rows: list[Any] = []
        self.message = ""
        self.marked: set[str] = set()
        self._keep = False
        self._order = ("", "")
        self._texts: dict[str, list[str]] = {}
        self._natural: dict[str, tuple[int, int]] = {}  # of how many rows, the widest
        self._wide: list[int] = []

    # -- what is shown

    def show(self, rows: Sequence[Any], message: str = "") -> None:
        """Replaces all rows; the cursor stays on the row that it was on, where that is still there."""
        before = self.row_id
        self.rows, self.message, self._texts, self._natural = list(rows), message, {}, {}
        self.marked &= {row.hit.id for row in rows}
        place = next((at for at, row in enumerate(rows) if row.hit.id == before), 0)
        self.lay_out()
        self.at = place
        self.call_after_refresh(self._into_view)

    def add(self, rows: Sequence[Any]) -> None:
        """Appends rows."""
        self.rows.extend(rows)
        self.lay_out()

    def use(self, columns: Sequence[Column], *, keep: bool, order: tuple[str, str]) -> None:
        """Shows these columns; ``keep``: all of them. ``order`` is a column and the sign of how it is sorted."""
        self.columns, self._keep, self._order = columns, keep, order
        self.lay_out()

    def has_nothing_in(self, column: Column) -> bool:
        """Whether no row has a value there."""
        return not any(self._column(column))

    def lay_out(self) -> None:
        """Finds the widths anew."""
        natural = [max(self._widest(column), cells(self._title(column))) for column in self.columns]
        self._wide = widths(self.columns, natural, self.room.width - EDGE, keep=self._keep)
        self.virtual_size = Size(max(EDGE + needed(self._wide), 1), len(self.rows) + 1)
        self.refresh()

    def _title(self, column: Column) -> str:
        return column.title + (self._order[1] if column.name == self._order[0] else "")

    def _column(self, column: Column) -> list[str]:
        """Texts of all rows of a column, made once."""
        texts = self._texts.setdefault(column.name, [])
        texts.extend(column.cell(row) for row in self.rows[len(texts) :])
        return texts

    def _widest(self, column: Column) -> int:
        counted, width = self._natural.get(column.name, (0, 0))
        texts = self._column(column)
        self._natural[column.name] = len(texts), max([width, *map(cells, texts[counted:])])
        return self._natural[column.name][1]

    def on_resize(self) -> None:
        """Columns come and go with the room."""
        self.lay_out()
        self._into_view()

    @property
    def room(self) -> Size:
        """What is left beside the scroll bars."""
        return self.scrollable_content_region.size

    # -- the cursor

    @property
    def row(self) -> Any:
        """The row under the cursor; None where there is none."""
        return self.rows[self.at] if self.at < len(self.rows) else None

    @property
    def row_id(self) -> str:
        """Its id, or nothing."""
        return self.row.hit.id if self.row else ""

    @property
    def marks(self) -> list[Any]:
        """Rows that are marked, in the order of the table."""
        return [row for row in self.rows if row.hit.id in self.marked]

    def validate_at(self, at: int) -> int:
        """Stays on the rows."""
        return max(0, min(at, len(self.rows) - 1))

    def watch_at(self) -> None:
        """Shows the row, says so, and asks for more near the end."""
        self._into_view()
        self.refresh()
        self.post_message(self.Moved())
        if self.at >= len(self.rows) - NEAR:
            self.post_message(self.Ends())

    def _into_view(self) -> None:
        room, top = max(self.room.height - 2, 0), self.scroll_offset.y
        if self.at < top or self.at > top + room:
            self.scroll_to(y=self.at if self.at < top else self.at - room, animate=False)

    def action_move(self, by: int) -> None:
        """A row on, or back."""
        self.at += by

    def action_page(self, by: int) -> None:
        """A page on, or back."""
        self.at += by * max(self.room.height - 2, 1)

    def action_ends(self, last: int) -> None:
        """The first row, or the last that is loaded."""
        self.at = len(self.rows) - 1 if last else 0

    def action_side(self, by: int) -> None:
        """Columns that do not fit."""
        self.scroll_relative(x=by, animate=False)

    def action_choose(self) -> None:
        """Says that the row was chosen."""
        if self.row:
            self.post_message(self.Chosen())

    def action_mark(self) -> None:
        """Marks the row or takes its mark away, and goes on."""
        if self.row:
            self.marked ^= {self.row_id}
            self.action_move(1)
            self.refresh()
            self.post_message(self.Moved())

    def unmark(self) -> None:
        """Takes all marks away."""
        self.marked.clear()
        self.refresh()

    async def on_click(self, event: events.Click) -> None:
        """A click goes to a row, a second one chooses it; one on a heading sorts."""
        event.stop()
        if event.y == 0:
            name = self._column_at(event.x + self.scroll_offset.x)
            if name:
                self.post_message(self.Heading(name))
        elif (place := event.y - 1 + self.scroll_offset.y) < len(self.rows):
            self.at = place
            if event.chain > 1:
                self.action_choose()

    def _column_at(self, x: int) -> str:
        left = EDGE
        for column, room in zip(self.columns, self._wide, strict=True):
            left += room + GAP if room else 0
            if x < left:
                return column.name
        return ""

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """One line of what is seen."""
        left, base = self.scroll_offset.x, self.rich_style
        at = y - 1 + self.scroll_offset.y
        if y == 0:
            style = self.get_component_rich_style("table--heading")
            return Strip(self._segments(None, style)).crop_extend(left, left + self.room.width, style)
        if not self.rows:
            return self._message(y)
        if at >= len(self.rows):
            return Strip.blank(self.room.width, base)
        style = self.get_component_rich_style("table--cursor") if at == self.at else base
        return Strip(self._segments(at, style)).crop_extend(left, left + self.room.width, style)

    def _segments(self, at: int | None, style: Style) -> list[Segment]:
        marked = at is not None and self.rows[at].hit.id in self.marked
        found = [Segment(("▸" if at == self.at else " ") + ("●" if marked else " "), style)]
        for column, room in zip(self.columns, self._wide, strict=True):
            if room:
                text = self._title(column) if at is None else self._texts[column.name][at]
                mood = _MOODS.get(text, "") if at is not None and at != self.at else ""
                shown = self.get_component_rich_style(f"table--{mood}") if mood else style
                found.append(Segment(fitted(text, room, right=column.right), shown))
                found.append(Segment(" " * GAP, style))
        return found

    def _message(self, y: int) -> Strip:
        style = self.get_component_rich_style("table--message")
        room = max(self.room.width - 4, 10)
        lines = [part for text in self.message.splitlines() for part in wrap(text, room) or [""]]
        text = "  " + lines[y - 2] if 0 <= y - 2 < len(lines) else ""
        return Strip([Segment(text, style)]).crop_extend(0, self.room.width, style)
