"""What a repair changes, file by file: text as a diff, binary files in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from triage.ingest.text import plain
from triage.remedy import Change
from triage.tui.explained import Explained
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.diff_view import DiffView
from triage.tui.widgets.signs import CHANGES

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Change"
HELP = """
What is changed, one file at a time: `n` goes to the next, `N` to the one before. Lines that go begin with `-`, lines
that come with `+`. Of a binary file it is said in words what is different. `y` copies the change as a patch.
"""


def make(changes: Sequence[Change], about: str = "", command: str = "", at: int = 0) -> Screen[None]:
    """Shows changes.

    Args:
        changes: at least one.
        about: what they belong to.
        command: the command that prints the same.
        at: which one is seen first.
    """
    return Diff(changes, about, command, at)


class Diff(Explained, Screen[None]):
    """One change of several."""

    name_of = "diff"
    BINDINGS: ClassVar = [
        Binding("n", "step(1)", "Next file", id="diff.next_file"),
        Binding("N", "step(-1)", "Previous file", id="diff.previous_file"),
        Binding("y", "copy", "Copy patch", id="diff.copy"),
    ]
    CSS = """
    Diff .which { height: auto; max-height: 6; padding: 0 1; background: $surface; }
    """

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, changes: Sequence[Change], about: str, command: str, at: int) -> None:
        super().__init__()
        self.changes, self.at = tuple(changes), min(at, max(len(changes) - 1, 0))
        self._about, self.command = about, command

    def compose(self) -> ComposeResult:
        """Which file, and its lines."""
        yield Bar()
        yield Static(classes="which")
        yield DiffView()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Shows the first one."""
        self.query_one(DiffView).focus()
        self._show()

    def why_not(self, action: str) -> str:
        """Some of it needs two changes."""
        if action == "step" and len(self.changes) < 2:
            return "Only one file is changed."
        return "Nothing is changed." if action == "copy" and not self.changes else ""

    def action_step(self, by: int) -> None:
        """To another change."""
        self.at = (self.at + by) % len(self.changes)
        self._show()

    def action_copy(self) -> None:
        """Copies the change that is seen."""
        change = self.changes[self.at]
        self.app.copy(change.diff, f"the change of {plain(change.path)}")

    def _show(self) -> None:
        self.query_one(Bar).say(TITLE, [self._about] if self._about else [], 0, self.command)
        if not self.changes:
            self.query_one(".which", Static).update("Nothing is changed.")
            return
        change = self.changes[self.at]
        words = f"  {self.at + 1} of {len(self.changes)} · {change.kind}{counted(change)}"
        head = Content.assemble((f"{CHANGES.get(change.kind, '~')} {plain(change.path)}", "bold"), words)
        self.query_one(".which", Static).update(head)
        self.query_one(DiffView).show(change.diff)


def counted(change: Change) -> str:
    """How many lines come and go; empty where the change is told in words."""
    lines = change.diff.split("\n")
    if not any(line.startswith("@@") for line in lines):
        return ""
    come = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    gone = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    return f" · +{come} -{gone}"
