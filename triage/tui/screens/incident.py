"""The page of an incident or a group: what it is, what changed, what is near, and what people decide about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker

from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui.decisions import Dossier, dossier
from triage.tui.widgets import dossier as blocks
from triage.tui.widgets._dossier_acts import DossierActs
from triage.tui.widgets.answer import Row
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.faults import fault_of
from triage.tui.widgets.sides import Sides

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Incident"
HELP = """
One failure: its verdict and decisive lines, why, what to do, where it ran; beside it what changed since the last good
build, failures like it, repairs with their attempts, and the history of decisions. `j` and `k` go from row to row,
`Enter` opens one: a decisive line opens the stored log, a similar failure its own page, a repair or cause its article;
a decision of the history is taken back.

`c` says what the cause really was, `s` moves the state along, `w` names an owner, `t` adds a note, `m` makes it one
group with another, `u` takes the last decision back.
"""


def make(uid: str) -> Screen[None]:
    """The page of an incident or group, by its id or the beginning of it."""
    return IncidentScreen(uid)


class IncidentScreen(DossierActs):
    """A page in two columns, or in one."""

    name_of = "incident"
    CSS = """
    IncidentScreen #state { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar = [
        Binding("c", "confirm", "Confirm", id="incident.confirm"),
        Binding("s", "state", "State", id="incident.state"),
        Binding("w", "owner", "Owner", id="incident.owner"),
        Binding("t", "note", "Note", id="incident.note"),
        Binding("m", "merge", "Merge", id="incident.merge"),
        Binding("x", "unmerge", "Take apart", show=False, id="incident.unmerge"),
        Binding("u", "undo", "Undo", id="incident.undo"),
        Binding("l", "log", "Log", id="incident.log"),
        Binding("a", "article", "Article", show=False, id="incident.article"),
        Binding("i", "incidents", "All its incidents", show=False, id="incident.incidents"),
        Binding("r", "again", "Refresh", show=False, id="incident.refresh"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, uid: str) -> None:
        super().__init__(uid)
        self._asked = 0

    @property
    def command(self) -> str:
        """The command that shows the same page."""
        return f"triage archive show {shlex.quote(self.uid)}"

    def compose(self) -> ComposeResult:
        """What is going on, and the page."""
        yield Bar()
        yield Static(id="state")
        yield Sides()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Asks the archive."""
        self.query_one(Sides).display = False
        self.load()

    def on_screen_resume(self) -> None:
        """The page may have changed while another screen was open."""
        if self.dossier is not None:
            self.load()

    def on_resize(self) -> None:
        """The command may have room now."""
        self.query_one(Bar).say(TITLE, [self.uid], 0, self.command)

    def load(self) -> None:
        """Reads the page anew."""
        self._asked += 1
        asked = self._asked
        if self.dossier is None:
            self._tell(f"… looking {self.uid} up")
        self.run_worker(lambda: self._read(asked), thread=True, group="page", exclusive=True, exit_on_error=False)

    def _read(self, asked: int) -> None:
        """In a worker."""
        try:
            found: Dossier | TriageError = dossier(self.uid)
        except TriageError as fault:
            found = fault
        self.app.call_from_thread(self._take, asked, found)

    def _take(self, asked: int, found: Dossier | TriageError) -> None:
        if asked != self._asked or not self.is_attached:
            return
        sides = self.query_one(Sides)
        if isinstance(found, TriageError):
            self.dossier, self.fault = None, plain(str(found))
            sides.display = False
            self._tell(f"✗ {self.fault}\n\nr tries again, esc goes back.")
        else:
            self.dossier, self.fault = found, ""
            self._tell("")
            sides.display = True
            sides.show(lambda: blocks.left(found), lambda: blocks.right(found))
        self.refresh_bindings()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed unexpectedly is told, too."""
        fault = fault_of(event, "page")
        if fault:
            self._take(self._asked, fault)

    def _tell(self, words: str) -> None:
        state = self.query_one("#state", Static)
        state.update(Content(words))
        state.display = bool(words)

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """Opens what a row names, copies it, or takes a decision back."""
        event.stop()
        acts: dict[str, Any] = {
            "line": lambda _: self.action_log(),
            "incident": lambda uid: self.app.go("incident", uid=uid),
            "group": lambda _: self.action_incidents(),
            "copy": lambda text: self.app.copy(text, "the address"),
            "undo": lambda number: self.ask_undo(int(number)),
        }
        acts.get(event.kind, lambda about: self.app.go("article", about=about))(event.value)
