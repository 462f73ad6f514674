"""The article of a cause or of a repair."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Markdown

from triage.errors import TriageError
from triage.tui.widgets.bar import Bar

TITLE = "Article"
HELP = "The article says what a cause means, how to tell it, how to cure it, and when it is something else."


def make(about: str) -> Screen[None]:
    """The article of a cause or a repair, by its id."""
    return Article(about)


class Article(Screen[None]):
    """One text, to read and scroll."""

    name_of = "article"
    BINDINGS: ClassVar = [
        Binding("j,down", "scroll('down')", "Down", show=False, id="article.down"),
        Binding("k,up", "scroll('up')", "Up", show=False, id="article.up"),
        Binding("space,pagedown", "scroll('page_down')", "Page down", show=False, id="article.page_down"),
        Binding("b,pageup", "scroll('page_up')", "Page up", show=False, id="article.page_up"),
        Binding("g,home", "scroll('home')", "Top", show=False, id="article.top"),
        Binding("G,end", "scroll('end')", "End", show=False, id="article.end"),
    ]

    def __init__(self, about: str) -> None:
        super().__init__()
        self._about = about

    @property
    def command(self) -> str:
        """The command that prints the same text."""
        return f"triage explain {self._about}"

    def compose(self) -> ComposeResult:
        """The text between bar and keys."""
        yield Bar()
        with VerticalScroll():
            yield Markdown(_text(self._about), open_links=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Says where one is."""
        self.query_one(Bar).say(TITLE, [self._about], 0, self.command)
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, how: str) -> None:
        """Scrolls by a line, by a page, or to an end."""
        getattr(self.query_one(VerticalScroll), f"scroll_{how}")(animate=False)


def _text(about: str) -> str:
    from triage.service.explaining import explained

    try:
        return explained(about)
    except TriageError as fault:
        return str(fault)
