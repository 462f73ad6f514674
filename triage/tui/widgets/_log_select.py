"""Marks, selection and mouse of a log view."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.actions import SkipAction

from triage.tui.document import Document
from triage.tui.widgets._log_messages import Copied, MarksChanged
from triage.tui.widgets._log_moves import Moving
from triage.tui.widgets._log_rows import shown

WHEEL = 3
MOST_COPIED = 20_000


class Selecting(Moving):
    """Lines that a person picked out."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._marks: set[int] = set()
        self._anchor: int | None = None
        self._sticky = False
        self._dragging = False

    @property
    def marks(self) -> set[int]:
        """Lines with a mark. Set it to put marks back."""
        return set(self._marks)

    @marks.setter
    def marks(self, lines: Iterable[int]) -> None:
        """Puts marks on these lines and no others."""
        self._marks = set(lines)
        self._redraw()

    def action_mark(self) -> None:
        """Puts a mark on the line, or takes it off."""
        if self.total:
            self._marks ^= {self.cursor}
            self.post_message(MarksChanged(frozenset(self._marks)))
            self._redraw()

    def action_next_mark(self) -> None:
        """To the next marked line."""
        self.to_next(sorted(self._marks), "mark; m sets one")

    # -- selection

    @property
    def selection(self) -> tuple[int, int] | None:
        """First and last selected line."""
        if self._anchor is None:
            return None
        return min(self._anchor, self.cursor), max(self._anchor, self.cursor)

    def moved_by_hand(self) -> None:
        """A selection that V did not begin ends."""
        if not self._sticky and not self._dragging:
            self._anchor = None

    def action_select(self) -> None:
        """Begins to select lines here, or ends it."""
        self._anchor = None if self._anchor is not None else self.cursor
        self._sticky = self._anchor is not None
        self._redraw()

    def action_unselect(self) -> None:
        """Ends the selection; without one the key is somebody else's."""
        if self._anchor is None:
            raise SkipAction
        self._anchor, self._sticky = None, False
        self._redraw()

    def action_select_down(self) -> None:
        """Selects one line more below."""
        self._stretch(1)

    def action_select_up(self) -> None:
        """Selects one line more above."""
        self._stretch(-1)

    def _stretch(self, lines: int) -> None:
        anchor, sticky = self.cursor if self._anchor is None else self._anchor, self._sticky
        self._anchor, self._sticky = anchor, True
        self._step(lines)
        self._sticky = sticky

    def action_copy(self) -> None:
        """Hands the selected lines, or the cursor's line, to the clipboard."""
        if not self.shown_lines.count:
            return
        first, last = self.selection or (self.cursor, self.cursor)
        lines = self.shown_lines
        low, high = lines.index_of(first), lines.index_of(last)
        numbers = [lines.number(index) for index in range(low, min(high + 1, low + MOST_COPIED))]
        if high - low >= MOST_COPIED:
            self.notify(f"only the first {MOST_COPIED:,} lines are copied", severity="warning", markup=False)
        text = "\n".join(shown(line) for line in self.document.some(numbers))
        self._anchor, self._sticky = None, False
        self._redraw()
        self.post_message(Copied(text, len(numbers)))

    # -- mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the lines; the cursor stays on the screen."""
        self._wheel(event, WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """As down."""
        self._wheel(event, -WHEEL)

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        event.stop()
        event.prevent_default()
        if event.shift or event.ctrl:
            self._sideways(rows * 4)
            return
        self._place.move(rows)
        self._visible = None
        seen = [self.shown_lines.number(index) for index, _ in self._rows()]
        if seen:
            self._by_hand(min(max(self.cursor, seen[0]), seen[-1]))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Puts the cursor on a line; dragging selects."""
        line = self._line_at(event)
        if line and event.button == 1:
            self._anchor, self._sticky = None, False
            self._by_hand(line)
            self._dragging = True
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Selects up to the line under the mouse."""
        line = self._line_at(event)
        if self._dragging and line and line != self.cursor:
            self._anchor = self.cursor if self._anchor is None else self._anchor
            self._by_hand(line)

    def on_mouse_up(self) -> None:
        """The selection stands until the cursor moves."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _line_at(self, event: events.MouseEvent) -> int:
        rows = self._rows()
        row = event.get_content_offset_capture(self).y
        return self.shown_lines.number(rows[row][0]) if 0 <= row < len(rows) else 0
