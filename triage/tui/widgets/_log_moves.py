"""Where a log view stands, and the keys that move it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from textual.geometry import Size
from textual.reactive import reactive

from triage.tui.document import Document
from triage.tui.widgets._log_lines import ShownLines
from triage.tui.widgets._log_messages import CursorMoved
from triage.tui.widgets._log_place import Place
from triage.tui.widgets._log_rows import Gutter, Painter
from triage.tui.widgets._log_work import Working

SIDEWAYS = 8


class Moving(Working):
    """The cursor and the part of the log that is seen."""

    cursor: reactive[int] = reactive(1, repaint=False)
    total: reactive[int] = reactive(0, repaint=False)
    kept: reactive[int | None] = reactive(None, repaint=False)
    following: reactive[bool] = reactive(False, repaint=False)
    wrap: reactive[bool] = reactive(False, repaint=False)
    seen: reactive[tuple[int, int]] = reactive((0, 0), repaint=False)
    news: reactive[int] = reactive(0, repaint=False)  # goes up with new lines, errors, roles

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document
        self.shown_lines = ShownLines(document)
        self.set_reactive(Moving.total, document.lines)
        self.touched = False
        self.left = 0
        self._place = Place(self.shown_lines.rows)
        self._visible: list[tuple[int, int]] | None = None
        self._painter: Painter | None = None
        self._tail = False
        self._wanted = 0
        self._laid_out = False

    def jump(self, line: int) -> None:
        """Puts the cursor on a line, or the nearest one that is shown, well in sight."""
        self._fit()
        index = self.shown_lines.index_of(line)
        self._place.center(index)
        self._place.show(index)
        self._set_cursor(self.shown_lines.number(index) or max(1, min(line, self.total)))

    def watch_wrap(self) -> None:
        """The cursor's line stays in sight."""
        self.left = 0
        self._fit()
        self._place.sub = 0
        self._place.show(self.shown_lines.index_of(self.cursor))
        self._moved()

    def watch_following(self, following: bool) -> None:
        """Following goes to the end and stays there until one goes up."""
        if following:
            self._tail = True
            self._to_end()
        elif self._place.at_end:
            self._tail = False

    # -- geometry

    @property
    def room(self) -> Size:
        """Columns and rows without the scroll bar."""
        return self.scrollable_content_region.size

    @property
    def gutter_width(self) -> int:
        """Cells before the text."""
        return Gutter.of(self.room.width, self.total).width

    def on_resize(self) -> None:
        """Keeps the cursor in sight; the first size finds it a good place."""
        index, laid_out = self.shown_lines.index_of(self.cursor), self._laid_out
        seen = index in {line for line, _ in self._rows()}
        self._laid_out = True
        self._fit()
        if self.following:
            self._to_end()
        elif seen and self._place.count:
            self._place.center(index, always=not laid_out)
            self._place.show(index)
        self._moved()

    def _fit(self) -> None:
        size, lines, place = self.room, self.shown_lines, self._place
        width = max(1, size.width - self.gutter_width)
        wrap_at = width if self.wrap else 0
        changed = (lines.count, max(1, size.height), wrap_at) != (place.count, place.height, lines.wrap_at)
        lines.wrap_at = wrap_at
        place.count, place.height = lines.count, max(1, size.height)
        lines.page = place.height
        if changed:
            place.clamp()
            self._moved()
        else:
            self._redraw()

    def _rows(self) -> list[tuple[int, int]]:
        if self._visible is None:
            self._visible = self._place.visible()
        return self._visible

    def _redraw(self) -> None:
        self._visible = self._painter = None
        self.refresh()

    def _moved(self) -> None:
        """Another part of the log is seen: the scroll bar and others learn of it."""
        self._redraw()
        place, lines = self._place, self.shown_lines
        height = place.end()[0] + place.height if place.count else 0
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.room.width, height)
        self.set_reactive(Moving.scroll_target_y, float(place.top))
        self.scroll_y = place.top
        rows = self._rows()
        self.seen = (lines.number(rows[0][0]), lines.number(rows[-1][0])) if rows else (0, 0)
        if self._tail and self.following != place.at_end:
            self.following = place.at_end

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The scroll bar was dragged, or follows the view."""
        super().watch_scroll_y(old_value, new_value)
        if round(new_value) != self._place.top:
            self.touched |= self.is_vertical_scrollbar_grabbed
            self._place.top, self._place.sub = round(new_value), 0
            if round(new_value) >= self._place.end()[0]:
                self._place.top, self._place.sub = self._place.end()
            self._place.clamp()
            self._moved()

    # -- moving

    def _set_cursor(self, line: int) -> None:
        if line != self.cursor:
            self.cursor = line
            self.post_message(CursorMoved(line))
        self._moved()

    def moved_by_hand(self) -> None:
        """What else ends when a person moves the cursor."""

    def _by_hand(self, line: int) -> None:
        """A person moved: searches start here."""
        self.touched = True
        self.moved_by_hand()
        self._origin = line
        self._wanted = 0
        self._set_cursor(line)

    def _step(self, lines: int) -> None:
        place, index = self._place, self.shown_lines.index_of(self.cursor)
        if self.wrap and lines == 1 and self._rows() and self._rows()[-1][0] == index and not place.at_end:
            place.move(1)  # a line longer than the screen is read row by row
        elif self.wrap and lines == -1 and (place.top, bool(place.sub)) == (index, True):
            place.move(-1)
        else:
            index = max(0, min(index + lines, place.count - 1))
            place.show(index)
        self._by_hand(self.shown_lines.number(index) or 1)

    def _page(self, rows: int) -> None:
        """The cursor stays on its row of the screen, or goes to the first or last line."""
        seen, index = self._rows(), self.shown_lines.index_of(self.cursor)
        row = next((at for at, (line, _) in enumerate(seen) if line == index), 0)
        before = (self._place.top, self._place.sub)
        self._place.move(rows)
        self._visible = None
        seen = self._rows()
        if not seen:
            return
        index = seen[min(row, len(seen) - 1)][0]
        if before == (self._place.top, self._place.sub):
            index = seen[-1 if rows > 0 else 0][0]
        self._by_hand(self.shown_lines.number(index))

    def _to_end(self) -> None:
        if self._place.count:
            self._place.top, self._place.sub = self._place.end()
            self._set_cursor(self.shown_lines.number(self._place.count - 1))

    def action_down(self) -> None:
        """One line down."""
        self._step(1)

    def action_up(self) -> None:
        """One line up."""
        self._step(-1)

    def action_page_down(self) -> None:
        """One screen down."""
        self._page(max(1, self._place.height - 1))

    def action_page_up(self) -> None:
        """One screen up."""
        self._page(-max(1, self._place.height - 1))

    def action_half_down(self) -> None:
        """Half a screen down."""
        self._page(max(1, self._place.height // 2))

    def action_half_up(self) -> None:
        """Half a screen up."""
        self._page(-max(1, self._place.height // 2))

    def action_top(self) -> None:
        """To the first line."""
        self._place.top = self._place.sub = 0
        self._by_hand(self.shown_lines.number(0) or 1)

    def action_bottom(self) -> None:
        """To the last line."""
        self._to_end()
        self._by_hand(self.cursor)

    def action_left(self) -> None:
        """Shows what is further left."""
        self._sideways(-SIDEWAYS)

    def action_right(self) -> None:
        """Shows what is further right."""
        self._sideways(SIDEWAYS)

    def action_line_start(self) -> None:
        """Shows the lines from their start."""
        self._sideways(-self.left)

    def _sideways(self, cells: int) -> None:
        """As far as a line on the screen reaches."""
        if self.wrap:
            return
        longest = max((self.shown_lines.width(index) for index, _ in self._rows()), default=0)
        self.left = max(0, min(self.left + cells, max(self.left if cells > 0 else 0, longest - SIDEWAYS)))
        self._redraw()

    # -- from one place of interest to the next

    def action_next_hit(self) -> None:
        """To the next line with the search text."""
        self.seek_again(forward=True)

    def action_previous_hit(self) -> None:
        """To the line with the search text before."""
        self.seek_again(forward=False)

    def action_next_error(self) -> None:
        """To the next line that looks like an error."""
        self._to_error(forward=True)

    def action_previous_error(self) -> None:
        """To the error-like line before."""
        self._to_error(forward=False)

    def _to_error(self, forward: bool) -> None:
        document, line = self.document, self.cursor

        def work(stopped: Callable[[], bool]) -> None:
            found = document.next_error(line, forward, stopped)
            if not stopped():
                self.call_later(self._arrive, found, f"no {'more' if forward else 'earlier'} line looks like an error")

        self._in_thread("error", work)

    def _arrive(self, line: int | None, otherwise: str) -> None:
        if line is None:
            self.notify(otherwise, markup=False)
        else:
            self.jump(line)
            self._by_hand(self.cursor)

    def to_next(self, lines: Sequence[int], what: str) -> None:
        """To the next of some lines, from the last one round to the first."""
        place = bisect_right(lines, self.cursor)
        self._arrive(lines[place % len(lines)] if lines else None, f"there is no {what}")

    def to_previous(self, lines: Sequence[int], what: str) -> None:
        """To the one of some lines before, from the first one round to the last."""
        place = bisect_left(lines, self.cursor)
        self._arrive(lines[place - 1] if lines else None, f"there is no {what}")
