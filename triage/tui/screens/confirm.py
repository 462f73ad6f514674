"""Says what the cause really was: confirms or corrects the answer, in the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from triage.tui.sheets import Sheet

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Confirm the cause"
HELP = """
The first row is what was answered: `Enter` confirms it. Type a part of another cause's name or words to correct it;
after a comma, a note for those who see this failure next. The failure is filed where it is not yet, and
`u` on the log takes the decision back.
"""
MOST = 60


def make(sheet: Sheet, done: Callable[[], None] = lambda: None) -> ModalScreen[None]:
    """Confirms the cause of a sheet's failure; ``done`` is called when it is recorded."""
    return Confirm(sheet, done)


class Confirm(ModalScreen[None]):
    """A line to type in, and the causes that fit."""

    name_of = "confirm"
    BINDINGS: ClassVar = [
        Binding("escape", "dismiss", "Back"),
        Binding("down", "into_list", "List", show=False, id="confirm.list"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sheet: Sheet, done: Callable[[], None]) -> None:
        super().__init__()
        self._sheet, self._done = sheet, done
        self._shown: list[str] = []

    @property
    def command(self) -> str:
        """The command that records the same."""
        cause = self._shown[0] if self._shown else "CAUSE"
        return f"triage archive confirm {self._sheet.filed or 'ID'} --cause {cause}"

    def compose(self) -> ComposeResult:
        """The line and the list."""
        with Vertical(classes="box"):
            yield Static("What was the cause? Enter confirms; type to correct; ', note' adds a remark", classes="title")
            yield Input(id="cause")
            yield OptionList(id="causes")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """The answer's own causes stand first."""
        self._list("")
        self.query_one("#cause").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The list follows."""
        event.stop()
        self._list(event.value.partition(",")[0].strip().lower())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the first of the list."""
        event.stop()
        if self._shown:
            self._take(self._shown[0])
        else:
            self.app.notify("No cause is called so; triage causes lists them.", severity="warning")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the chosen one."""
        event.stop()
        self._take(self._shown[event.option_index])

    def action_into_list(self) -> None:
        """From the line to the list."""
        choices = self.query_one("#causes", OptionList)
        choices.focus()
        choices.highlighted = 0

    def _list(self, typed: str) -> None:
        from triage.library import load_library

        knowledge = load_library().knowledge
        incident = self._sheet.incident
        own = [cause.id for cause in incident.causes if cause.id != "unknown"] if incident else []
        texts = {name: f"{name} {knowledge.article(name).title}" for name in knowledge.ids()}
        rest = [name for name, text in texts.items() if name not in ("unknown", "no-failure", *own)]
        self._shown = [name for name in (*own, *rest) if all(word in texts[name].lower() for word in typed.split())]
        choices = self.query_one("#causes", OptionList)
        choices.clear_options()
        for name in self._shown[:MOST]:
            mark = "✓ answered: " if name in own else ""
            choices.add_option(Option(Content.assemble(mark, (name, "bold"), f"  {knowledge.article(name).title}")))

    def _take(self, cause: str) -> None:
        words = self.query_one("#cause", Input).value.partition(",")[2].strip() or None
        self.run_worker(lambda: self._record(cause, words), thread=True, exit_on_error=False)

    def _record(self, cause: str, words: str | None) -> None:
        from triage.tui.acts import decide_sheet

        fault = decide_sheet(self._sheet, "confirm", cause, None, words)
        self.app.call_from_thread(self._recorded, cause, fault)

    def _recorded(self, cause: str, fault: str) -> None:
        if fault:
            self.app.say(fault)
            return
        self.app.notify(f"{self._sheet.filed}: confirmed as {cause}. u takes it back.", markup=False)
        self._done()
        self.dismiss()
