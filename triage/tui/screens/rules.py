"""All rules: what they say, how they prove it, and which of them speak on the open log."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from triage.errors import TriageError
from triage.tui import rulework
from triage.tui.explained import Explained
from triage.tui.sheets import Sheet
from triage.tui.widgets.answer import Row
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.rule_view import (
    STATES,
    RuleView,
    faults_blocks,
    file_blocks,
    head_blocks,
    log_blocks,
    source_blocks,
    use_blocks,
)

if TYPE_CHECKING:
    from triage.service.rules import Word
    from triage.tui.app import Desk

TITLE = "Rules"
ENTRY = True
HELP = """
Every rule, by tool. A rule is a pattern in a log line, the cause that it names, and samples that prove it.
`/` finds rules by words of their id, cause, sentence or pattern. `t` shows only the rules that find something in the
open log: `▶` speaks, `·` found its pattern and is silent (the rule says why), `✓` marks success, failure or noise;
`t` again shows all. `Tab` goes to the rule's text, where `Enter` on a line goes there in the log.

`e` opens the rule's file in `$EDITOR`; when you come back the file is proved by its samples. `d` on a log with an
unknown failure drafts the rule that is missing.
"""
GROUPS = {"speaks": "Speak", "silent": "Found their pattern and are silent", "marks": "Mark lines"}


def make(sheet: Sheet | None = None) -> Screen[None]:
    """The rules, to be tried on a sheet (default: the open log that was seen last)."""
    return Rules(sheet)


class Rules(Explained, Screen[None]):
    """A line to search with, the list, and the rule that is chosen."""

    name_of = "rules"
    CSS = """
    Rules #find { height: 1; border: none; padding: 0 1; background: $panel; }
    Rules .status { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    Rules .sides { height: 1fr; layout: vertical; }
    Rules OptionList { height: 45%; padding: 0; border: none; text-wrap: nowrap; text-overflow: ellipsis; }
    Rules OptionList:focus { border: none; }
    Rules RuleView { height: 1fr; border-top: solid $panel; padding: 0 1; }
    Rules.-wide .sides { layout: horizontal; }
    Rules.-wide OptionList { width: 42%; height: 1fr; }
    Rules.-wide RuleView { border-top: none; border-left: solid $panel; }
    """
    BINDINGS: ClassVar = [
        Binding("slash", "find", "Find", key_display="/", id="rules.find"),
        Binding("t", "test", "Test on the log", id="rules.test"),
        Binding("a", "article", "Article", id="rules.article"),
        Binding("e,ctrl+e", "edit", "Edit", key_display="e", id="rules.edit"),
        Binding("d", "draft", "Draft a rule", show=False, id="rules.draft"),
        Binding("j", "step(1)", "Next", show=False, id="rules.down"),
        Binding("k", "step(-1)", "Previous", show=False, id="rules.up"),
        Binding("tab", "other_side", "List/rule", show=False, id="rules.other_side"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sheet: Sheet | None) -> None:
        super().__init__()
        self._given = sheet
        self._shelf: rulework.Shelf | None = None
        self._use = rulework.Use({}, "…")
        self._words: dict[str, Word] | None = None
        self._tested: Sheet | None = None
        self._testing = False
        self._shown: list[str | None] = []
        self.chosen = ""

    def compose(self) -> ComposeResult:
        """The line, the list beside or above the rule."""
        yield Bar()
        yield Input(id="find", placeholder="words of a rule's id, cause, sentence or pattern")
        yield Static("Reading the rules …", classes="status")
        with Container(classes="sides"):
            yield OptionList(id="rules")
            yield RuleView()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Reads rules and figures while the screen stands."""
        self.query_one("#rules").focus()
        self._tell()
        self.run_worker(self._load, thread=True, group="rules", exit_on_error=False)

    @property
    def command(self) -> str:
        """The command that shows the chosen rule."""
        return f"triage rules show {self.chosen}" if self.chosen else "triage rules list"

    @property
    def sheet(self) -> Sheet | None:
        """The log to test on."""
        if self._given is not None:
            return self._given
        current = getattr(self.app.logs, "current", None)
        return current.sheet if current else None

    # -- what is read in the background

    def _load(self) -> None:
        try:
            shelf = rulework.load_shelf()
        except TriageError as fault:
            self.app.call_from_thread(self._failed, str(fault))
            return
        self.app.call_from_thread(self._loaded, shelf)
        use = rulework.load_use()
        self.app.call_from_thread(self._used, use)

    def _failed(self, fault: str) -> None:
        self.query_one(RuleView).show(faults_blocks("The rules cannot be read.", fault.split("\n")))
        self.query_one(".status", Static).update("no rules")

    def _loaded(self, shelf: rulework.Shelf) -> None:
        self._shelf = shelf
        self._list()
        self.refresh_bindings()

    def _used(self, use: rulework.Use) -> None:
        self._use = use
        self._show()

    # -- the list

    def on_input_changed(self, event: Input.Changed) -> None:
        """The list follows what is typed."""
        event.stop()
        self._list()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """To the list."""
        event.stop()
        self.query_one("#rules").focus()

    def _list(self) -> None:
        if self._shelf is None:
            return
        words = self.query_one("#find", Input).value.lower().split()
        only = self._words if self._words is not None else None
        found = self._shelf.matching(words, None if only is None else list(only))
        rows = self.query_one("#rules", OptionList)
        keep = self.chosen
        options, self._shown = self._options(found)
        rows.clear_options()
        rows.add_options(options)
        if self._shown:
            at = self._shown.index(keep) if keep in self._shown else 1
            rows.highlighted = at
        else:
            self.chosen = ""
            self._show()
        self._status(len(found), words)

    def _options(self, found: list[rulework.Entry]) -> tuple[list[Option], list[str | None]]:
        """One option a rule, below the name of its tool; of a tested log below what the rule does there."""
        groups: dict[str, list[rulework.Entry]] = {}
        for entry in found:
            state = self._words[entry.id].state if self._words is not None else ""
            groups.setdefault(GROUPS.get(state, entry.folder), []).append(entry)
        if self._words is not None:
            order = list(self._words)
            groups = {name: groups[name] for name in GROUPS.values() if name in groups}
            for entries in groups.values():
                entries.sort(key=lambda entry: order.index(entry.id))
        options: list[Option] = []
        shown: list[str | None] = []
        for name, entries in groups.items():
            options.append(Option(Content.assemble((f"{name} ", "bold $primary"), f"{len(entries)}"), disabled=True))
            options += [Option(self._row(entry)) for entry in entries]
            shown += [None, *(entry.id for entry in entries)]
        return options, shown

    def _row(self, entry: rulework.Entry) -> Content:
        word = self._words.get(entry.id) if self._words is not None else None
        if word is None:
            return Content.assemble(f"  {entry.topic}  ", (entry.target, "dim"))
        sign, _, style = STATES[word.state]
        lines = f"{len(word.places)} lines" if len(word.places) > 1 else f"line {word.places[0].line:,}"
        return Content.assemble((f"{sign} ", style), f"{entry.id}  ", (f"{lines}  {entry.target}", "dim"))

    def _status(self, count: int, words: list[str]) -> None:
        parts = [f"{count:,} rules" if count != 1 else "1 rule"]
        if words:
            parts.append(f"with {' '.join(words)}")
        if self._words is not None and self._tested:
            speaking = sum(word.state == "speaks" for word in self._words.values())
            parts.append(f"that find something in {self._tested.name}; {speaking} speak (t shows all)")
        elif not count:
            parts.append("no rule has these words")
        self.query_one(".status", Static).update(Content(" · ".join(parts)))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Shows the rule below the cursor."""
        event.stop()
        name = self._shown[event.option_index] if event.option_index < len(self._shown) else None
        if name and name != self.chosen:
            self.chosen = name
            self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """To the rule's text."""
        event.stop()
        self.action_other_side()

    # -- the rule

    def _show(self) -> None:
        view = self.query_one(RuleView)
        if not self.chosen:
            view.show(iter([Static("No rule is chosen.", classes="dim")]))
        else:
            view.show(iter(self._blocks(self.chosen)))
        self._tell()

    def _blocks(self, name: str) -> list[Static]:
        source, faults, path = rulework.read_rule(name)
        blocks = list(head_blocks(source) if source else faults_blocks(name, faults))
        if self._words is not None and self._tested:
            blocks += log_blocks(self._tested.name, self._words.get(name))
        blocks += use_blocks(self._use.figures.get(name), self._use.remark)
        blocks += source_blocks(source) if source else ()
        return [*blocks, *file_blocks(path)]

    def _tell(self) -> None:
        self.query_one(Bar).say(TITLE, [self.chosen] if self.chosen else [], 0, self.command)
        self.refresh_bindings()

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """Goes to a line of the log, to an article, or into the file."""
        event.stop()
        if event.kind == "line" and self._tested is not None:
            rulework.show_line(self.app, self._tested, int(event.value))
        elif event.kind == "open":
            self.action_edit()
        elif event.kind == "cause":
            self.app.go("article", about=event.value)

    # -- acting

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        if action in ("test", "article", "edit") and self._shelf is None:
            return "The rules are still being read."
        sheet = self.sheet
        reasons = {
            "test": (
                (self._testing, "The log is being tested."),
                (self._words is None and sheet is None, "No log is open: paste one, or o opens a file."),
                (self._words is None and sheet is not None and sheet.progress < 1, "The log is still being read."),
            ),
            "article": (
                (not self.chosen, "No rule is chosen."),
                (not (self._shelf and self._shelf.cause_of(self.chosen)), "This rule names no cause."),
            ),
            "edit": (
                (not self.chosen, "No rule is chosen."),
                (self.app.chosen.read_only, "The desk is read-only."),
            ),
            "draft": (
                (not (sheet and sheet.incident), "A rule is drafted from a failure: open a log that shows one."),
            ),
        }  # fmt: skip
        return next((why for holds, why in reasons.get(action, ()) if holds), "")

    def action_find(self) -> None:
        """To the search line."""
        self.query_one("#find").focus()

    def action_step(self, by: int) -> None:
        """The rule below or above."""
        rows = self.query_one("#rules", OptionList)
        (rows.action_cursor_down if by > 0 else rows.action_cursor_up)()

    def action_other_side(self) -> None:
        """From the list to the rule, and back."""
        view, rows = self.query_one(RuleView), self.query_one("#rules", OptionList)
        if view.has_focus or view.has_focus_within:
            rows.focus()
            return
        inside = list(view.query(Row))
        (inside[0] if inside else view).focus()

    def action_article(self) -> None:
        """The article of the cause."""
        if self._shelf:
            self.app.go("article", about=self._shelf.cause_of(self.chosen))

    def action_draft(self) -> None:
        """Drafts a rule from the log's failure."""
        self.app.go("draft", sheet=self.sheet)

    def action_test(self) -> None:
        """Only the rules that find something in the log; again for all."""
        sheet = self.sheet
        if self._words is not None or sheet is None:
            self._words = self._tested = None
            self._list()
            self._show()
            return
        self._testing = True
        self.query_one(".status", Static).update(Content(f"Testing every rule on {sheet.name} …"))
        self.run_worker(lambda: self._test(sheet), thread=True, group="test", exclusive=True, exit_on_error=False)

    def _test(self, sheet: Sheet) -> None:
        words, fault = rulework.words_on_sheet(sheet)
        self.app.call_from_thread(self._show_test, sheet, words, fault)

    def _show_test(self, sheet: Sheet, words: dict[str, Word], fault: str) -> None:
        self._testing = False
        if fault:
            self.app.say(fault)
        else:
            self._words, self._tested = words, sheet
            self.chosen = next(iter(words), "")
        self._list()
        self._show()

    def action_edit(self) -> None:
        """Opens the rule's file, and proves it afterwards."""
        editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
        path = rulework.read_rule(self.chosen)[2]
        before = rulework.stamp(path)
        try:
            with self.app.suspend():
                subprocess.run([*editor, path], check=False)
        except SuspendNotSupported:
            self.app.say(f"An editor needs a terminal of its own. The file is {path}.")
            return
        except OSError as fault:
            self.app.say(f"{editor[0]} cannot be started: {fault.strerror}. Set EDITOR.")
        self.refresh(layout=True)
        self._edited(changed=rulework.stamp(path) != before)

    def _edited(self, *, changed: bool) -> None:
        self._show()
        faults = rulework.read_rule(self.chosen)[1]
        if faults:
            self.app.say("The file is no rule now: " + " ".join(faults[:1]))
        elif changed:
            words = f"{self.chosen} proves itself by its samples. It speaks when the desk is started again."
            self.app.notify(words, markup=False)
