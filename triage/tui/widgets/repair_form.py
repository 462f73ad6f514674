"""What to repair: the command and its folder, the safety switch, the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Checkbox, Input, Select, Static

from triage.backends._choose import targets
from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui.drafts import Draft, Offer, told, with_offer
from triage.tui.repairs import Job
from triage.tui.widgets.answer import Row

UNSAFE = "Also try unsafe repairs"
EXPLAINED = "They may change what is computed, or load code. Off: only listed."
ARCHIVE = "Ask the archive what worked before, and file every attempt"
AS_TOLD = "the command builds it"
LIMITS = (("attempts", "attempts"), ("seconds", "s in all"), ("timeout", "s a run"), ("memory", "GiB"))
PAUSE = 0.4  # seconds after the last key before the form is looked at


class Switch(Checkbox):
    """A box with a cross in it where it is on, and nothing in it where it is off."""

    def render(self) -> Content:
        """The box and its label."""
        self.BUTTON_INNER = "X" if self.value else " "
        return super().render()


class RepairForm(VerticalScroll, can_focus=False):
    """The form of a job; what is typed goes into the job's draft."""

    BINDINGS: ClassVar = [
        Binding("down", "app.focus_next", "Next", show=False, id="fix.next_field"),
        Binding("up", "app.focus_previous", "Previous", show=False, id="fix.previous_field"),
    ]
    DEFAULT_CSS = """
    RepairForm { height: 1fr; padding: 0 1; }
    RepairForm .field { height: 1; }
    RepairForm .name { width: 12; color: $text-muted; }
    RepairForm .unit { width: auto; color: $text-muted; padding: 0 1; }
    RepairForm Input { width: 1fr; }
    RepairForm .number { width: 7; }
    RepairForm Checkbox, RepairForm Select { width: 1fr; }
    RepairForm .explained { padding: 0 0 0 16; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    RepairForm #told { margin: 1 0; min-height: 3; }
    RepairForm #told.-wrong { color: $text-error; }
    RepairForm .buttons { height: 1; }
    RepairForm Button { margin: 0 2 0 0; }
    RepairForm #offers { height: auto; }
    """

    class Changed(Message):
        """The draft is another."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self._filling = False
        self._ticket = 0

    def compose(self) -> ComposeResult:
        """Fields, what they come to, buttons, and what else could be meant."""
        draft = self.job.draft
        yield self._field("What fails", Input(draft.line, "python export.py, recipe.toml …", id="line", compact=True))
        yield self._field("In folder", Input(draft.folder, "where it runs", id="folder", compact=True))
        choices = [(AS_TOLD, ""), *((f"build the model for {name}", name) for name in targets())]
        target = Select(choices, value=draft.target, allow_blank=False, id="target", compact=True)
        yield self._field("Build by", target)
        yield self._field("Safety", Switch(UNSAFE, draft.unsafe, id="unsafe", compact=True))
        yield Static(EXPLAINED, classes="explained")
        yield self._field("Archive", Switch(ARCHIVE, draft.archive, id="archive", compact=True))
        yield Horizontal(Static("Limits", classes="name"), *self._limits(draft), classes="field")
        yield Static(id="told")
        yield Horizontal(
            Button("Plan (p)", id="plan", variant="primary", compact=True),
            Button("Repair (r)", id="repair", compact=True), classes="buttons",
        )  # fmt: skip
        yield VerticalScroll(id="offers", can_focus=False)

    def on_mount(self) -> None:
        """Says what the form would do."""
        self._look()

    @staticmethod
    def _field(name: str, widget: Input | Select[str] | Checkbox) -> Horizontal:
        return Horizontal(Static(name, classes="name"), widget, classes="field")

    @staticmethod
    def _limits(draft: Draft) -> Iterator[Input | Static]:
        for name, words in LIMITS:
            yield Input(getattr(draft, name), "any" if name == "memory" else "600", id=name, classes="number",
                        compact=True)  # fmt: skip
            yield Static(words, classes="unit")

    # -- what is typed

    def on_input_changed(self, event: Input.Changed) -> None:
        """A text changed."""
        event.stop()
        self._set(str(event.input.id), event.value)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """A switch changed."""
        event.stop()
        self._set(str(event.checkbox.id), event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        """Another target."""
        event.stop()
        self._set("target", str(event.value))

    def _set(self, name: str, value: str | bool) -> None:
        if self._filling or getattr(self.job.draft, name) == value:
            return
        self.job.draft = replace(self.job.draft, **{name: value})  # type: ignore[arg-type]
        self.post_message(self.Changed())
        self._ticket += 1
        ticket = self._ticket
        self.set_timer(PAUSE, lambda: self._look() if ticket == self._ticket else None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field, and from the last one to the buttons."""
        event.stop()
        self.query_one("#plan", Button).focus()

    def fill(self, draft: Draft) -> None:
        """Puts a draft into the fields."""
        self._filling = True
        self.job.draft = draft
        for name in ("line", "folder", *(name for name, _ in LIMITS)):
            self.query_one(f"#{name}", Input).value = getattr(draft, name)
        self.query_one("#target", Select).value = draft.target
        self.query_one("#unsafe", Checkbox).value = draft.unsafe
        self.query_one("#archive", Checkbox).value = draft.archive
        self.call_after_refresh(self._filled)

    def _filled(self) -> None:
        self._filling = False
        self.post_message(self.Changed())
        self._look()

    # -- what it comes to

    def _look(self) -> None:
        draft = self.job.draft
        self.run_worker(lambda: self._looked(draft), thread=True, group="look", exclusive=True, exit_on_error=False)

    def _looked(self, draft: Draft) -> None:
        """In a worker: reading a recipe and a folder may take time."""
        try:
            text, wrong = f"✓ {told(draft)}", False
        except TriageError as fault:
            text, wrong = f"✗ {fault}", bool(draft.line.strip())
        self.app.call_from_thread(self._tell, draft, text, wrong)

    def _tell(self, draft: Draft, text: str, wrong: bool) -> None:
        if draft is not self.job.draft or not self.is_attached:
            return
        said = self.query_one("#told", Static)
        said.update(Content("\n".join(plain(line) for line in text.split("\n"))))
        said.set_class(wrong, "-wrong")

    async def show_offers(self, offers: Sequence[Offer], earlier: Sequence[tuple[str, str]]) -> None:
        """Lists what else could be meant, and earlier repairs: (folder, what it was)."""
        place = self.query_one("#offers", VerticalScroll)
        await place.remove_children()
        rows: list[Static] = []
        draft = self.job.draft
        others = [(at, one) for at, one in enumerate(offers) if (one.line, one.folder) != (draft.line, draft.folder)]
        if others:
            rows.append(Static("Or repair (Enter takes it)", classes="title"))
        for number, offer in others:
            words = Content.assemble((plain(offer.line), "bold"), f"  in {plain(offer.folder)}  ({offer.why})")
            rows.append(Row(words, "open", f"offer {number}"))
        if earlier:
            rows.append(Static("Earlier repairs (Enter opens one)", classes="title"))
        rows += [Row(Content(plain(words)), "open", f"earlier {folder}") for folder, words in earlier]
        await place.mount(*rows)

    def take(self, offer: Offer) -> None:
        """What was offered is what shall be repaired."""
        self.fill(with_offer(self.job.draft, offer))
        self.query_one("#plan", Button).focus()

    def focus_first(self) -> None:
        """To the buttons where there is a command, else to its line."""
        self.query_one("#plan" if self.job.draft.line.strip() else "#line").focus()
