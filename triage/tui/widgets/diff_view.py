"""A unified diff, coloured and with its own signs; only the rows on the screen are drawn."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from triage.ingest.text import plain

LONGEST = 2000  # characters of a row that are drawn
KINDS = {"+": "added", "-": "removed", "@": "place"}


class DiffView(ScrollView, can_focus=True):
    """The lines of one change."""

    BINDINGS: ClassVar = [
        Binding("j,down", "scroll_down", "Down", show=False, id="diff.down"),
        Binding("k,up", "scroll_up", "Up", show=False, id="diff.up"),
        Binding("space,pagedown", "page_down", "Page down", show=False, id="diff.page_down"),
        Binding("b,pageup", "page_up", "Page up", show=False, id="diff.page_up"),
        Binding("g,home", "scroll_home", "Top", show=False, id="diff.top"),
        Binding("G,end", "scroll_end", "End", show=False, id="diff.end"),
    ]
    COMPONENT_CLASSES: ClassVar = {f"diff-view--{name}" for name in ("added", "removed", "place", "head")}
    DEFAULT_CSS = """
    DiffView { height: 1fr; background: $surface; color: $foreground; scrollbar-size-vertical: 1; }
    DiffView > .diff-view--added { color: $text-success; }
    DiffView > .diff-view--removed { color: $text-error; }
    DiffView > .diff-view--place { color: $text-accent; }
    DiffView > .diff-view--head { text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show(self, text: str) -> None:
        """Shows a diff from its first line on."""
        self.lines = [line for line in text.rstrip("\n").split("\n") if not line.startswith("\\ No newline")]
        wide = max((cell_len(line[:LONGEST].expandtabs(4)) for line in self.lines), default=0)
        self.virtual_size = Size(wide + 1, len(self.lines))
        self.scroll_home(animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        left, top = self.scroll_offset
        width = self.size.width
        at = top + y
        if at >= len(self.lines):
            return Strip.blank(width, self.rich_style)
        line = self.lines[at]
        style = self.rich_style + self._style(line)
        text = plain(line[:LONGEST].expandtabs(4)) + ("…" if len(line) > LONGEST else "")
        return Strip([Segment(text, style)]).crop(left, left + width).extend_cell_length(width, self.rich_style)

    def _style(self, line: str) -> Style:
        kind = "head" if line.startswith(("--- ", "+++ ")) else KINDS.get(line[:1], "")
        return self.get_component_rich_style(f"diff-view--{kind}", partial=True) if kind else Style()
