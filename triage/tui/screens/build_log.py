"""The log of one attempt of a repair, also while it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from triage.errors import TriageError
from triage.tui.document import Document
from triage.tui.explained import Explained
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.log_view import Copied, LogView

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Log"
HELP = """
What an attempt printed. While it runs the log is followed; `k` or a page up stays where you are. `/` searches, `e` goes
to the next error. `v` shows the log of the check instead of the build's, where there is one. `o` there and here opens
any log as one of its own, with its answer.
"""
LOOK = 0.25  # seconds between looks at a log that grows
PIECE = 1 << 24

Logs = Sequence[tuple[str, str]]


def make(about: str, logs: Callable[[], Logs], running: Callable[[], bool], text: bytes = b"") -> Screen[None]:
    """Shows the log of an attempt.

    Args:
        about: the attempt, in some words.
        logs: gives what there is now: (what it is, path).
        running: whether more may come.
        text: is shown where there is no file.
    """
    return BuildLog(about, logs, running, text)


class BuildLog(Explained, Screen[None]):
    """One log, or the one of two that is chosen."""

    name_of = "build-log"
    BINDINGS: ClassVar = [
        Binding("slash", "search", "Search", key_display="/", id="build_log.search"),
        Binding("v", "other", "Build/check", id="build_log.other"),
        Binding("D", "diagnose", "As a log of its own", show=False, id="build_log.diagnose"),
    ]
    CSS = """
    BuildLog .status { height: 1; background: $surface; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    BuildLog .log { height: 1fr; }
    BuildLog .ask { height: 1; border: none; padding: 0 1; background: $panel; }
    """

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, about: str, logs: Callable[[], Logs], running: Callable[[], bool], text: bytes) -> None:
        super().__init__()
        self._about, self._logs, self._live, self._text = about, logs, running, text
        self._at = 0
        self._path = ""
        self._document: Document | None = None

    @property
    def command(self) -> str:
        """The command that answers the same log."""
        import shlex

        return f"triage diagnose {shlex.quote(self._path)}" if self._path else ""

    def compose(self) -> ComposeResult:
        """The status, the text, and a search line."""
        yield Bar()
        yield Static("Waiting for the log …", classes="status")
        yield Vertical(classes="log")
        yield Input(classes="ask", compact=True, placeholder="Search; /text/ is a regular expression")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Shows what is there, and looks again while it grows."""
        self.query_one(".ask", Input).display = False
        self.set_interval(LOOK, self._look)
        self._look()

    def on_unmount(self) -> None:
        """Gives the file back."""
        if self._document is not None:
            self._document.close()

    @property
    def view(self) -> LogView | None:
        """The text, once there is some."""
        return next(iter(self.query(LogView)), None)

    def _look(self) -> None:
        """Opens the log when it comes, follows it while it grows, finds it again when it moved."""
        if self._document is None:
            self._open()
        elif self._path and (self._document.grown() or not self._document.complete):
            self._document.index(PIECE)
            if self.view:
                self.view.document_changed()
        self._status()

    def _open(self) -> None:
        logs = list(self._logs())
        try:
            if logs:
                self._path = logs[min(self._at, len(logs) - 1)][1]
                self._document = Document.open_file(self._path)
            elif self._text:
                self._document = Document.growing(self._about)
                self._document.append(self._text)
                self._document.finish()
            else:
                return
        except TriageError as fault:
            self.query_one(".status", Static).update(Content(str(fault)))
            return
        view = LogView(self._document)
        self.query_one(".log", Vertical).mount(view)
        view.following = self._live()
        view.focus()

    def _status(self) -> None:
        self.query_one(Bar).say(TITLE, [self._about], 0, self.command)
        if self._document is None:
            words = "Waiting for the log …" if self._live() else "There is no log: nothing was run."
            self.query_one(".status", Static).update(words)
            return
        logs = list(self._logs())
        what = logs[min(self._at, len(logs) - 1)][0] if logs else "build"
        state = "running, followed" if self._live() else "ended"
        said = f"  {what} log · {state} · {self.view.status if self.view else ''}"
        self.query_one(".status", Static).update(Content.assemble((self._about, "bold"), said))

    def why_not(self, action: str) -> str:
        """Some of it waits for a log."""
        if action == "other" and len(self._logs()) < 2:
            return "There is only the build's log: no check of the recipe's own was run."
        if action == "diagnose" and not self._path:
            return "There is no file of this log."
        return "There is no log yet." if action == "search" and self._document is None else ""

    def action_other(self) -> None:
        """From the build's log to the check's, and back."""
        self._at = (self._at + 1) % len(self._logs())
        if self._document is not None:
            self._document.close()
        self._document, self._path = None, ""
        self.query_one(".log", Vertical).remove_children()
        self.call_after_refresh(self._look)

    def action_diagnose(self) -> None:
        """Opens it beside the other logs, with an answer of its own."""
        self.app.open(self._path)

    def action_search(self) -> None:
        """Asks for a text."""
        line = self.query_one(".ask", Input)
        line.value, line.display = "", True
        line.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Finds it."""
        event.stop()
        self._close_ask()
        if self.view and event.value:
            self.view.search(event.value)

    def on_key(self, event: events.Key) -> None:
        """``esc`` closes the search line first."""
        if event.key == "escape" and self.query_one(".ask", Input).display:
            event.stop()
            event.prevent_default()
            self._close_ask()

    def _close_ask(self) -> None:
        self.query_one(".ask", Input).display = False
        if self.view:
            self.view.focus()

    def on_copied(self, event: Copied) -> None:
        """Lines of the log."""
        event.stop()
        self.app.copy(event.text, "the log's text")
