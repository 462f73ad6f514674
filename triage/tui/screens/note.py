"""Adds a remark to the history of a log's failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from triage.tui.sheets import Sheet

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Note"
HELP = "Write what the next person should know, and press `Enter`. The failure is filed where it is not yet."


def make(sheet: Sheet, done: Callable[[], None] = lambda: None) -> ModalScreen[None]:
    """A line for a remark; ``done`` is called when it is stored."""
    return Note(sheet, done)


class Note(ModalScreen[None]):
    """One line to type in."""

    name_of = "note"
    BINDINGS: ClassVar = [Binding("escape", "dismiss", "Back")]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sheet: Sheet, done: Callable[[], None]) -> None:
        super().__init__()
        self._sheet, self._done = sheet, done

    @property
    def command(self) -> str:
        """The command that stores the same."""
        return f"triage archive note {self._sheet.filed or 'ID'} 'WORDS'"

    def compose(self) -> ComposeResult:
        """The line in a box."""
        with Vertical(classes="box small"):
            yield Static("What should the next person know?", classes="title")
            yield Input(id="words")
        yield Footer(compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Stores it."""
        event.stop()
        words = event.value
        self.run_worker(lambda: self._store(words), thread=True, exit_on_error=False)

    def _store(self, words: str) -> None:
        from triage.tui.acts import decide_sheet

        self.app.call_from_thread(self._stored, decide_sheet(self._sheet, "add_note", words))

    def _stored(self, fault: str) -> None:
        if fault:
            self.app.say(fault)
            return
        self.app.notify(f"Noted in the history of {self._sheet.filed}.")
        self._done()
        self.dismiss()
