"""One row that shows where along a log the errors are, what part is seen, and where the evidence is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from triage.tui.document import Document

if TYPE_CHECKING:
    from triage.tui.widgets.log_view import LogView

BARS = " ▁▂▃▄▅▆▇█"
EVIDENCE = "▼"


class ErrorStrip(Widget):
    """A histogram of error-like lines, by place in the file. A click goes there.

    It finds the log view of the same document beside it, or is given one by ``link``.
    """

    DEFAULT_CSS = """
    ErrorStrip {
        height: 1;
        background: $panel;
        color: $text-error;
        & > .error-strip--seen { background: $primary-muted; text-style: underline; }
        & > .error-strip--evidence { color: $text-accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar = {"error-strip--seen", "error-strip--evidence"}
    ALLOW_SELECT = False

    class Jumped(Message):
        """A place was clicked: the line there."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, document: Document, *, id: str | None = None) -> None:  # noqa: A002  Textual's word
        super().__init__(id=id)
        self.document = document
        self._view: LogView | None = None

    def on_mount(self) -> None:
        """Looks for the view beside it, once that is there."""
        self.call_after_refresh(self._find_view)

    def _find_view(self) -> None:
        if self._view is None and self.parent is not None:
            beside: Any = self.parent.query("LogView")
            for view in beside:
                if view.document is self.document:
                    self.link(view)

    def link(self, view: LogView) -> None:
        """Shows what this view sees, and moves it when clicked."""
        self._view = view
        self.watch(view, "seen", self._changed)
        self.watch(view, "news", self._changed)

    def document_changed(self) -> None:
        """Draws what was found since."""
        self.refresh()

    def _changed(self) -> None:
        self.refresh()

    def cells(self, width: int) -> str:
        """The row as text: a bar for each part of the log, an arrow where evidence is."""
        counts = self.document.errors(width)
        highest = max(counts, default=0)
        bars = [BARS[-(-count * 8 // highest)] if count else BARS[0] for count in counts]
        for column in self._columns(self._view.evidence if self._view else [], width):
            bars[column] = EVIDENCE
        return "".join(bars)

    def _columns(self, lines: list[int] | tuple[int, int], width: int) -> set[int]:
        size = max(1, self.document.size)
        return {min(width - 1, self.document.start_of(line) * width // size) for line in lines if line}

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        if y or not width:
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        look = base + self.get_component_rich_style("error-strip--seen", partial=True)
        found = self.get_component_rich_style("error-strip--evidence", partial=True)
        columns = self._columns(self._view.seen, width) if self._view else set()
        low, high = (min(columns), max(columns)) if columns else (1, 0)
        segments: list[Segment] = []
        for column, letter in enumerate(self.cells(width)):
            style = look if low <= column <= high else base
            segments.append(Segment(letter, style + found if letter == EVIDENCE else style))
        return Strip(segments, width)

    def on_click(self, event: events.Click) -> None:
        """Goes to the line at that place."""
        width = max(1, self.size.width)
        line = self.document.line_at(event.x * self.document.size // width)
        if line:
            self.post_message(self.Jumped(line))
            if self._view is not None:
                self._view.goto(line)
