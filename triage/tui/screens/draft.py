"""Drafts the rule that would name a log's failure; it is tried before it is saved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static, TextArea

from triage.ingest.text import plain
from triage.tui import rulework
from triage.tui.explained import Explained
from triage.tui.sheets import Sheet
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.pick import Choice, Pick, Picked
from triage.tui.widgets.question import Question
from triage.tui.widgets.rule_view import STATES

if TYPE_CHECKING:
    from triage.diagnose.draft import Draft
    from triage.diagnose.proof import Proof
    from triage.records import Incident
    from triage.service.growing import OnLog
    from triage.tui.app import Desk

TITLE = "Draft a rule"
HELP = """
The rule that would have named this failure, written from its message and from messages like it in the archive.
Read it, change it, and try it with `Ctrl+T`: it must find its samples, raise no alarm on the logs of good builds,
rename no failure that has a name, and speak on the open log. `Ctrl+G` sets the cause, `Ctrl+N` takes the next
failure of the log. Nothing is written before `Ctrl+S`, which asks first. `Esc` leaves; it asks where you changed
something.
"""
PLACEHOLDER = "name-the-cause"
MOST_PLACES = 6


def make(sheet: Sheet) -> Screen[None]:
    """A draft from a failure of a sheet: of the first that has no name, else of the one that counts."""
    return DraftRule(sheet)


class DraftRule(Explained, Screen[None]):
    """Where the rule goes, its text, and what trying it gave."""

    name_of = "draft"
    CSS = """
    DraftRule .about { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    DraftRule #path { height: 1; border: none; padding: 0 1; background: $panel; }
    DraftRule .sides { height: 1fr; layout: vertical; }
    DraftRule TextArea { height: 1fr; border: none; padding: 0; }
    DraftRule #findings { height: 45%; border-top: solid $panel; padding: 0 1; }
    DraftRule #findings:focus { background: $surface; }
    DraftRule.-wide .sides { layout: horizontal; }
    DraftRule.-wide TextArea { width: 1fr; height: 1fr; }
    DraftRule.-wide #findings { width: 42%; height: 1fr; border-top: none; border-left: solid $panel; }
    """
    BINDINGS: ClassVar = [
        Binding("ctrl+t", "try", "Try", priority=True, id="draft.try"),
        Binding("ctrl+s", "save", "Save", priority=True, id="draft.save"),
        Binding("ctrl+g", "cause", "Cause", priority=True, id="draft.cause"),
        Binding("ctrl+n", "next", "Next failure", show=False, priority=True, id="draft.next"),
        Binding("escape", "leave", "Back", priority=True, id="draft.leave"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet
        self._failures = rulework.failures_of(sheet)
        self._at = 0
        self._made: Draft | None = None
        self.tried: tuple[str, Proof] | None = None
        self._saved = ""
        self._busy = ""

    def compose(self) -> ComposeResult:
        """Where it goes, the text, and the findings."""
        yield Bar()
        yield Static(classes="about")
        yield Input(id="path", placeholder="file of the rule")
        with Container(classes="sides"):
            yield TextArea("", soft_wrap=False, show_line_numbers=False, id="text")
            with VerticalScroll(id="findings"):
                yield Static(id="words")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Drafts at once."""
        self.query_one("#text").focus()
        self._tell()
        self._draft(None)

    @property
    def incident(self) -> Incident | None:
        """The failure that the rule is for."""
        return self._failures[self._at] if self._failures else None

    @property
    def text(self) -> str:
        """The rule as it stands on the screen."""
        return self.query_one(TextArea).text

    @property
    def path(self) -> str:
        """The file that it goes to."""
        return self.query_one("#path", Input).value.strip()

    @property
    def command(self) -> str:
        """The command that drafts from the archive."""
        return f"triage rules draft {self._sheet.filed or 'ID'} --output FILE"

    def _tell(self) -> None:
        self.query_one(Bar).say(TITLE, [self._sheet.name], 0, self.command)
        incident = self.incident
        if incident:
            of = f"  (failure {self._at + 1} of {len(self._failures)}, Ctrl+N)" if len(self._failures) > 1 else ""
            line = incident.causes[0].evidence[0]
            self.query_one(".about", Static).update(Content(f"for line {line.line:,}: {plain(line.text)}{of}"))
        self.refresh_bindings()

    def _say(self, *parts: Content | str) -> None:
        self.query_one("#words", Static).update(Content("\n").join([_content(part) for part in parts]))

    # -- drafting and trying

    def _draft(self, cause: str | None) -> None:
        incident = self.incident
        if incident is None:
            self._say("This log shows no failure that a rule could be drafted from.")
            return
        self._busy = "Drafting from the message and from those like it …"
        self._say(self._busy)
        self.run_worker(
            lambda: self._work(rulework.draft_on(self._sheet, incident, cause), incident, ""),
            thread=True, group="draft", exclusive=True, exit_on_error=False,
        )  # fmt: skip

    def action_try(self) -> None:
        """Tries the text as it stands."""
        if self._made is None or self.incident is None:
            return
        made = self._made._replace(text=self.text, id=rulework.id_of(self.path, self._made.id))
        incident = self.incident
        self._busy = "Trying it: samples, good logs, other failures, this log …"
        self._say(self._busy)
        self.refresh_bindings()
        self.run_worker(
            lambda: self._work(rulework.try_on(self._sheet, made), incident, made.text),
            thread=True, group="draft", exclusive=True, exit_on_error=False,
        )  # fmt: skip

    def _work(self, found: rulework.Findings, incident: Incident, tried: str) -> None:
        self.app.call_from_thread(self._found, found, incident, tried)

    def _found(self, found: rulework.Findings, incident: Incident, tried: str) -> None:
        """Shows what came; what belongs to another failure or text is dropped or said to be of it."""
        if incident is not self.incident or not self.is_attached:
            return
        self._busy = ""
        if found.made is not None and not tried:
            self._made = found.made
            self.query_one(TextArea).load_text(found.made.text)
            self.query_one("#path", Input).value = os.path.join(rulework.rules_folder(), f"{found.made.id}.yaml")
        if found.proof is not None and found.made is not None:
            self.tried = (found.made.text, found.proof)
        old = tried and tried != self.text
        parts = ["The text has changed since: Ctrl+T tries it as it stands."] if old else []
        self._say(*parts, *_told(found, self._sheet.name))
        self._tell()

    def action_next(self) -> None:
        """Drafts from the next failure of the log."""
        self._if_unchanged("Draft another rule?", self._turn)

    def _turn(self) -> None:
        self._at = (self._at + 1) % len(self._failures)
        self._made = self.tried = None
        self.query_one(TextArea).load_text("")
        self._tell()
        self._draft(None)

    def action_cause(self) -> None:
        """Asks which cause the rule names."""
        choices = [Choice(name, title) for name, title in rulework.causes()]
        self.app.push_screen(Pick("Which cause does the rule name?", choices), self._take_cause)

    def _take_cause(self, picked: Picked | None) -> None:
        if picked is None:
            return
        lines = self.text.split("\n")
        at = next((place for place, line in enumerate(lines) if line.startswith("cause:")), None)
        line = f"cause: {picked.value}"
        lines = [line, *lines] if at is None else [*lines[:at], line, *lines[at + 1 :]]
        self.query_one(TextArea).text = "\n".join(lines)
        self.action_try()

    # -- saving and leaving

    def action_save(self) -> None:
        """Asks, and writes the file."""
        path = os.path.expanduser(self.path)
        title = f"Replace {path}?" if os.path.exists(path) else f"Write {path}?"
        self.app.push_screen(
            Question(title, self._judged(), yes="Replace" if os.path.exists(path) else "Write"), self._save
        )

    def _judged(self) -> str:
        """What speaks for and against saving."""
        head = "Rules are read when triage starts: the new one speaks from then on."
        if self.tried is None or self.tried[0] != self.text:
            return f"? The text has not been tried as it stands (Ctrl+T tries it).\n{head}"
        if self.tried[1].sound:
            return f"✓ It was tried, and nothing speaks against it.\n{head}"
        first = next(iter(self.tried[1].faults), "It raises alarms, or renames failures that have a name.")
        return (
            f"✗ It is not ready: {plain(first)}\nA rule that must not be loaded stops all of triage until it is mended."
        )

    def _save(self, yes: bool | None) -> None:
        if not yes:
            return
        text = self.text
        fault = rulework.save(self.path, text)
        if fault:
            self.app.say(fault)
            return
        self._saved = text
        self.app.notify(f"Written to {self.path}. triage rules test proves all rules.", markup=False)

    def action_leave(self) -> None:
        """Goes back; asks first where something would be lost."""
        self._if_unchanged("Leave without saving?", self.app.pop_screen)

    def _if_unchanged(self, title: str, then: object) -> None:
        def go(yes: bool | None = True) -> None:
            if yes:
                then()  # type: ignore[operator]

        if self._made is None or self.text in (self._made.text, self._saved):
            go()
        else:
            self.app.push_screen(Question(title, "What you changed in the draft is lost.", yes="Leave it"), go)

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        if action in ("try", "save", "cause"):
            if self._busy:
                return self._busy
            if self._made is None:
                return "There is no draft."
        if action == "save" and self.app.chosen.read_only:
            return "The desk is read-only."
        if action == "save" and not self.path:
            return "Name the file that the rule goes to."
        if action == "next" and len(self._failures) < 2:
            return "The log shows no other failure."
        return ""


def _content(part: Content | str) -> Content:
    return part if isinstance(part, Content) else Content(part)


def _told(found: rulework.Findings, name: str) -> Iterator[Content | str]:
    """Findings in words, the verdict first."""
    if found.fault:
        yield Content.assemble(("✗ ", "bold $text-error"), found.fault)
        return
    if found.proof is not None:
        yield _headline(found.proof)
    if found.on_log is not None:
        yield from _on_log(found.on_log, name)
    if found.proof is not None:
        yield from _proof(found.proof)
    if found.remark:
        yield Content.assemble((f"? {found.remark}", "$text-warning"))
        yield "It was tried by its samples and on this log only."
    notes = [note for note in found.made.notes if PLACEHOLDER not in note] if found.made else []
    if notes:
        yield Content.assemble(("\nNotes on the draft", "bold $primary"))
        yield from (f"· {plain(note)}" for note in notes)


def _headline(proof: Proof) -> Content:
    if proof.sound and proof.cause:
        return Content.assemble(("✓ SOUND", "bold $text-success"), "  nothing speaks against it")
    todo = "" if proof.cause else "  the cause is to be filled in: Ctrl+G"
    return Content.assemble(("✗ NOT READY", "bold $text-error"), todo)


def _proof(proof: Proof) -> Iterator[Content | str]:
    from triage.diagnose.proof import explain

    yield Content.assemble(("\nOn samples and the archive", "bold $primary"))
    for line in explain(proof).splitlines()[1:]:
        yield plain(line)


def _on_log(seen: OnLog, name: str) -> Iterator[Content | str]:
    yield Content.assemble((f"\nOn {plain(name)}", "bold $primary"))
    if seen.word is None:
        yield Content.assemble(("✗ ", "$text-error"), "its pattern is not found in this log")
        return
    sign, words, style = STATES[seen.word.state]
    why = f": {seen.word.why}" if seen.word.why else ""
    yield Content.assemble((f"{sign} it {words}", style), f"{why}, on")
    for place in seen.word.places[:MOST_PLACES]:
        yield f"  {place.line:,}  {plain(place.text)}"
    if len(seen.word.places) > MOST_PLACES:
        yield f"  and {len(seen.word.places) - MOST_PLACES} more lines"
    if seen.after != seen.before:
        yield f"the answer would be {seen.after} in place of {seen.before}"
    else:
        yield f"the answer would still be {seen.after}"
