"""One open log on the screen: its answer beside its text, a search line below."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from triage.tui.deciding import READ_ONLY, decide_for
from triage.tui.explained import Explained
from triage.tui.sheets import DONE, FAILED, READING, STOPPED, Sheet
from triage.tui.widgets.answer import VERDICTS, Answer, Row, blocks_of
from triage.tui.widgets.log_view import Copied, ErrorStrip, LogView, Role

if TYPE_CHECKING:
    from triage.tui.app import Desk

WIDE = 110  # columns from which on the answer stands beside the log
LOOK = 0.1  # seconds between looks at a log that is being read
NEED_A_FAILURE = ("fix", "confirm", "file", "note", "article", "draft")
DECIDE = ("confirm", "file", "note", "undo")
AGAIN = 1.0  # seconds at least between two diagnoses of a log that grows


class SheetView(Explained, Widget):
    """A sheet on the screen."""

    BINDINGS: ClassVar = [
        Binding("slash", "search", "Search", key_display="/", id="log.search"),
        Binding("ampersand", "keep", "Only lines with", show=False, key_display="&", id="log.keep"),
        Binding("tilde", "drop", "Without lines with", show=False, key_display="~", id="log.drop"),
        Binding("backslash", "all_lines", "All lines", show=False, key_display="\\", id="log.all_lines"),
        Binding("colon", "line", "Go to line", show=False, key_display=":", id="log.line"),
        Binding("F", "follow", "Follow", show=False, id="log.follow"),
        Binding("tab", "other_side", "Answer/log", show=False, id="log.other_side"),
        Binding("equals_sign", "widen", "More answer", show=False, key_display="=", id="log.widen"),
        Binding("f", "fix", "Fix", id="log.fix"),
        Binding("c", "confirm", "Confirm", id="log.confirm"),
        Binding("i", "file", "File", show=False, id="log.file"),
        Binding("t", "note", "Note", show=False, id="log.note"),
        Binding("a", "article", "Article", show=False, id="log.article"),
        Binding("d", "draft", "Draft a rule", show=False, id="log.draft"),
        Binding("u", "undo", "Undo", show=False, id="log.undo"),
        Binding("s", "stop", "Stop reading", show=False, id="log.stop"),
        Binding("ctrl+e", "editor", "Editor", show=False, id="log.editor"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self.sheet = sheet
        self.log_view = LogView(sheet.document)
        self._answer, self._strip = Answer(), ErrorStrip(sheet.document)
        self._status_line, self._line = Static(classes="status"), Input(classes="ask")
        self._asks = ""
        self._drawn: object = None
        self._wide_answer = False
        self._placed = False

    def compose(self) -> ComposeResult:
        """The status, the answer and the log, the search line."""
        yield self._status_line
        with Container(classes="sides"):
            yield self._answer
            yield Vertical(self._strip, self.log_view, classes="log")
        yield self._line

    def on_mount(self) -> None:
        """Shows what is there, and looks again while the log is read."""
        self._line.display = False
        self._remember()
        self.set_interval(LOOK, self._look)
        self.changed()

    def on_resize(self, event: events.Resize) -> None:
        """The answer stands beside the log where there is room, else above it."""
        self.set_class(event.size.width >= WIDE, "-beside")

    @property
    def command(self) -> str:
        """The command that answers the same log."""
        if self.sheet.path:
            return shlex.join(["triage", "diagnose", self.sheet.name])
        return f"triage diagnose {shlex.quote(self.sheet.name)}" if "://" in self.sheet.name else "triage diagnose -"

    def focus_log(self) -> None:
        """Keys go to the text."""
        self.screen.set_focus(self.log_view)

    def _remember(self) -> None:
        """Where a person was in this file the last time."""
        path, memory = self.sheet.path, self.app.memory
        if path:
            self.log_view.marks = set(memory.marks.get(path, ()))
            if memory.lines.get(path, 1) > 1:
                self.log_view.goto(memory.lines[path])
                self._placed = True

    def leave(self) -> None:
        """Remembers where a person is."""
        if self.sheet.path:
            self.app.memory.left(self.sheet.path, self.log_view.cursor, sorted(self.log_view.marks))

    # -- while the log is read

    def _look(self) -> None:
        """Draws what has come."""
        document = self.sheet.document
        if self.sheet.follows and self.sheet.path and self.sheet.state != READING and document.grown():
            self._again()
        state = (
            self.sheet.state,
            self.sheet.waits,
            document.lines,
            document.size,
            self.sheet.read,
            self.log_view.status,
        )
        if state != self._drawn:
            self._drawn = state
            self.log_view.document_changed()
            self._strip.document_changed()
            self._status()

    def _again(self) -> None:
        """The file grew: reads and diagnoses it anew."""
        self.sheet.state = READING
        self.set_timer(AGAIN, lambda: self.screen.reread(self.sheet))  # type: ignore[attr-defined]

    def changed(self) -> None:
        """The sheet's state or answer is another."""
        answer = self.sheet.answer
        if answer is not None:
            self._answer.show(blocks_of(answer.report, self.sheet.filed, answer.seconds, answer.remark))
            self.log_view.set_roles(roles_of(self.sheet))
            if self.sheet.incident and not (self._placed or self.log_view.touched):
                self._placed = True
                self.log_view.goto(self.sheet.incident.causes[0].evidence[0].line)
        elif self.sheet.state in (FAILED, STOPPED):
            text = self.sheet.fault or "Reading was stopped. The lines above were read; o opens the file again."
            self._answer.show(iter([Static(Content(text), classes="text")]))
        self._status()

    def _status(self) -> None:
        document = self.sheet.document
        parts = [f"{document.lines:,} lines", _size(document.size)]
        if self.sheet.waits:
            parts.append("loading the rules: some seconds the first time")
        elif self.sheet.state == READING:
            parts.append(f"reading {self.sheet.progress:.0%} (s stops)" if self.sheet.progress < 1 else "thinking")
        elif self.sheet.state != DONE:
            parts.append(self.sheet.state)
        parts += ["following"] if self.sheet.follows else []
        verdict = self.sheet.diagnosis.verdict if self.sheet.diagnosis else ""
        sign = f"{VERDICTS[verdict][0]} " if verdict else ""
        said = f"  {' · '.join(parts)}  {self.log_view.status}"
        self._status_line.update(Content.assemble((f"{sign}{self.sheet.name}", "bold"), said))

    # -- searching

    def action_search(self) -> None:
        """Asks for a text, and finds it while it is typed."""
        self._ask("search", "Search; /text/ is a regular expression")

    def action_keep(self) -> None:
        """Asks for a text; only lines with it stay."""
        self._ask("keep", "Show only lines with")

    def action_drop(self) -> None:
        """Asks for a text; lines with it go."""
        self._ask("drop", "Hide lines with")

    def action_line(self) -> None:
        """Asks for a line number."""
        self._ask("line", "Go to line")

    def action_all_lines(self) -> None:
        """Shows every line again."""
        self.log_view.set_filter((), ())

    def _ask(self, what: str, words: str) -> None:
        self._asks = what
        line = self._line
        line.placeholder, line.value, line.display = words, "", True
        self.screen.set_focus(line)  # at once: keys may be on their way already

    def on_input_changed(self, event: Input.Changed) -> None:
        """A search is live."""
        event.stop()
        if self._asks == "search" and event.value:
            self.log_view.search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The text stands."""
        event.stop()
        text, asked = event.value, self._asks
        self._close_ask()
        if asked == "search":
            self.log_view.search(text)
        elif asked == "line" and text.replace(",", "").strip().isdigit():
            self.log_view.goto(int(text.replace(",", "")))
        elif asked == "line":
            self.app.notify(f"{text!r} is no line number.", severity="warning", markup=False)
        elif text:
            self.log_view.add_filter(text, keep=asked == "keep")

    def on_key(self, event: events.Key) -> None:
        """``esc`` closes the search line first."""
        if event.key == "escape" and self._line.display:
            event.stop()
            event.prevent_default()
            self._close_ask()

    def _close_ask(self) -> None:
        self._asks = ""
        self._line.display = False
        self.focus_log()

    # -- rows of the answer, and what is copied

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """Goes to a line, copies a command, opens an article or an incident."""
        event.stop()
        if event.kind == "line":
            self.log_view.goto(int(event.value))
            self.focus_log()
        elif event.kind == "copy":
            self.app.copy(event.value, "the commands")
        elif event.kind == "incident":
            self.app.go("incident", uid=event.value)
        else:
            self.app.go("article", about=event.value)

    def on_copied(self, event: Copied) -> None:
        """Lines of the log."""
        event.stop()
        self.app.copy(event.text, "the log's text")

    # -- acting

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        sheet, why = self.sheet, ""
        if action in NEED_A_FAILURE and sheet.answer is None:
            why = "The log is not answered yet." if sheet.state == READING else "The log was not answered."
        elif action in NEED_A_FAILURE and sheet.incident is None:
            why = "The log shows no failure."
        elif action in DECIDE and self.app.chosen.read_only:
            why = READ_ONLY
        elif action == "file" and sheet.filed:
            why = f"It is filed already, as {sheet.filed}."
        elif action in ("follow", "editor") and not sheet.path:
            why = "Only a file can be followed or opened in an editor."
        elif action == "stop" and sheet.state != READING:
            why = "Nothing is being read."
        return why

    def action_other_side(self) -> None:
        """From the log to the answer, and back."""
        if self.log_view.has_focus:
            rows = self._answer.query(Row)
            (rows.first() if rows else self._answer).focus()
        else:
            self.focus_log()

    def action_widen(self) -> None:
        """More room for the answer, then for the log."""
        self._wide_answer = not self._wide_answer
        self.set_class(self._wide_answer, "-wide-answer")

    def action_stop(self) -> None:
        """Stops reading; what was read stays."""
        self.sheet.stop()

    def action_follow(self) -> None:
        """Follows the file as it grows."""
        self.sheet.follows = not self.sheet.follows
        self.log_view.following = self.sheet.follows
        self._status()

    def action_article(self) -> None:
        """The article of the cause."""
        if self.sheet.incident:
            self.app.go("article", about=self.sheet.incident.causes[0].id)

    def action_fix(self) -> None:
        """Repairs the build."""
        self.app.go("fix", sheet=self.sheet)

    def action_confirm(self) -> None:
        """Says what the cause really was."""
        self.app.go("confirm", sheet=self.sheet, done=self.changed)

    def action_note(self) -> None:
        """Adds a remark to the incident's history."""
        self.app.go("note", sheet=self.sheet, done=self.changed)

    def action_draft(self) -> None:
        """Drafts a rule from this failure."""
        self.app.go("draft", sheet=self.sheet)

    def action_file(self) -> None:
        """Files the incident."""
        self.run_worker(self._file, thread=True, group="file", exit_on_error=False)

    def _file(self) -> None:
        from triage.tui.acts import file_sheet

        fault = file_sheet(self.sheet)
        self.app.call_from_thread(self._filed, fault)

    def _filed(self, fault: str) -> None:
        if fault:
            self.app.say(fault)
        else:
            self.app.notify(f"Filed as {self.sheet.filed}.")
        self.changed()

    def action_undo(self) -> None:
        """Takes back the last decision in the archive."""
        decide_for(self, lambda: None, "undo", None)

    def action_editor(self) -> None:
        """Opens the file in $EDITOR, at the cursor's line."""
        editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
        self._outside([*editor, f"+{self.log_view.cursor}", str(self.sheet.path)])

    def _outside(self, words: list[str]) -> Any:
        import subprocess

        with self.app.suspend():
            try:
                subprocess.run(words, check=False)
            except OSError as fault:
                self.app.say(f"{words[0]} cannot be started: {fault.strerror}. Set EDITOR.")
        self.app.refresh()


def roles_of(sheet: Sheet) -> dict[int, Role]:
    """Which lines are decisive, and which follow from them."""
    found: dict[int, Role] = {}
    diagnosis = sheet.diagnosis
    for incident in diagnosis.incidents if diagnosis else ():
        follows = incident.consequence_of is not None
        for line in incident.causes[0].evidence:
            part = "" if follows else line.text[line.start : line.end]
            found.setdefault(line.line, Role("consequence" if follows else "evidence", part=part))
    return found


def _size(size: int) -> str:
    for unit, at in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= at:
            return f"{size / at:.1f} {unit}"
    return f"{size} bytes"
