"""What can be done with a failure on its page: confirm, state, owner, note, merge, take back, open its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui.deciding import READ_ONLY, decide_for
from triage.tui.decisions import stored_log
from triage.tui.explained import Explained
from triage.tui.widgets.pick import Choice, Pick, Picked
from triage.tui.widgets.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from triage.tui.app import Desk
    from triage.tui.decisions import Dossier

DECISIONS = ("confirm", "state", "owner", "note", "merge", "unmerge", "undo")


class DossierActs(Explained, Screen[None]):
    """Part of the incident's screen."""

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, uid: str) -> None:
        super().__init__()
        self.uid = uid
        self.dossier: Dossier | None = None
        self.fault = ""

    def load(self) -> None:
        """Reads the page anew."""
        raise NotImplementedError

    @property
    def page(self) -> Mapping[str, Any]:
        """The page; empty while it is not there."""
        return self.dossier.page if self.dossier else {}

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        if action in DECISIONS and self.app.chosen.read_only:
            return READ_ONLY
        if action in (*DECISIONS, "log", "article", "incidents") and not self.page:
            return "The page is not there." if self.fault else "The archive has not answered yet."
        return self._why_not_here(action) if self.page else ""

    def _why_not_here(self, action: str) -> str:
        from triage.service.dossier import last_undoable

        merged, incident = self.page["group"]["merged_into"], self.page["incident"]
        reasons = {
            "confirm": (not incident, "No incident of this group is kept."),
            "log": (not incident or not self.page["build"]["log"], "Its log was not kept."),
            "article": (self._cause == "unknown", "Nobody knows the cause yet: c says it."),
            "merge": (merged, f"It is merged into {merged} already."),
            "unmerge": (not merged, "It is merged into no other group."),
            "undo": (last_undoable(self.page) is None, "Nothing here can be taken back."),
        }
        out, why = reasons.get(action, (False, ""))
        return why if out else ""

    @property
    def _cause(self) -> str:
        group = self.page["group"]
        return str(group["confirmed_cause"] or group["cause"])

    # -- decisions

    def decide(self, what: str, *arguments: Any) -> None:
        """Makes a decision in a worker, says what came of it, and reads the page anew."""
        decide_for(self, self.load, what, *arguments)

    def _pick(self, dialog: Pick, then: Callable[[Picked], None]) -> None:
        self.app.push_screen(dialog, lambda picked: then(picked) if picked else None)

    def action_confirm(self) -> None:
        """Says what the cause really was."""
        from triage.library import load_library
        from triage.service.curation import NEVER

        knowledge = load_library().knowledge
        named = [cause["id"] for cause in self.page["incident"]["causes"]]
        own = [name for name in dict.fromkeys([self._cause, *named]) if name not in NEVER and name in knowledge.ids()]
        rest = [name for name in knowledge.ids() if name not in (*NEVER, *own)]
        choices = [
            Choice(name, f"{'✓ answered: ' if name in own else ''}{knowledge.article(name).title}")
            for name in (*own, *rest)
        ]
        title = "What was the cause? Enter takes the marked row; ', note' adds a remark"
        self._pick(Pick(title, choices, rest=True), self._ask_fix)

    def _ask_fix(self, cause: Picked) -> None:
        """Asks which repair cured it, where the catalogue knows some."""
        from triage.library import load_library

        fixes = load_library().knowledge.article(cause.value).fixes
        if not fixes:
            self.decide("confirm", self.uid, cause.value, None, cause.rest or None)
            return
        choices = [Choice("", "not known, or another"), *(Choice(fix.id, fix.title) for fix in fixes)]
        self._pick(
            Pick(f"What cured {cause.value}?", choices),
            lambda fix: self.decide("confirm", self.uid, cause.value, fix.value or None, cause.rest or None),
        )

    def action_state(self) -> None:
        """Moves the failure along its states."""
        from triage.service.dossier import may_become

        state = self.page["group"]["state"]
        choices = [Choice(name) for name in may_become(state) if name != "reopened" or state in ("closed", "verified")]
        self._pick(
            Pick(f"It is {state}. What is it now?", choices), lambda new: self.decide("set_state", self.uid, new.value)
        )

    def action_owner(self) -> None:
        """Gives the failure to somebody."""
        from triage.archive.session import actor

        owner = self.page["group"]["owner"] or ""
        choices = [Choice(actor(), "you"), *([Choice("", "nobody")] if owner else [])]
        self._pick(
            Pick("Who has it? A name, or choose", choices, free=True),
            lambda picked: self.decide("set_owner", self.uid, picked.value or None),
        )

    def action_note(self) -> None:
        """Adds a remark to its history."""
        self._pick(
            Pick("What should the next person know?", free=True),
            lambda picked: self.decide("add_note", self.uid, picked.value),
        )

    def action_merge(self) -> None:
        """Asks which group it is the same as."""
        near = self.dossier.beside.similar if self.dossier and self.dossier.beside else ()
        choices = [Choice(one.id, f"{one.cause}, {one.state}: {one.why}") for one in near]
        self._pick(
            Pick("Which failure is the same? Its group stays. Choose one, or type an id", choices, free=True),
            self._ask_merge,
        )

    def _ask_merge(self, picked: Picked) -> None:
        group = self.page["group"]
        words = f"Merge {group['id']} into the group of {picked.value}?"
        self.app.push_screen(
            Question(words, f"{group['count']:,} incidents go there. u takes it back.", "Merge"),
            lambda yes: self.decide("merge", [self.uid, picked.value]) if yes else None,
        )

    def action_unmerge(self) -> None:
        """Takes the group out of the one that it was merged into."""
        group = self.page["group"]
        self.app.push_screen(
            Question(
                f"Take {group['id']} out of {group['merged_into']}?", "The two are never proposed as one again.", "Part"
            ),
            lambda yes: self.decide("unmerge", group["id"]) if yes else None,
        )

    def action_undo(self) -> None:
        """Takes the youngest decision of this page back."""
        from triage.service.dossier import last_undoable

        line = last_undoable(self.page)
        if line:
            self.ask_undo(int(line["id"]))

    def ask_undo(self, number: int) -> None:
        """Takes one decision back, when a person says so."""
        from triage.archive.history import in_words

        why = self.why_not("undo")
        if why:
            self.app.notify(why, severity="warning")
            return
        line = next(one for one in self.page["history"] if one["id"] == number)
        self.app.push_screen(
            Question(
                f"Take this {line['kind']} back?", plain(f"{line['actor']}: {in_words(line['data'])}"), "Take back"
            ),
            lambda yes: self.decide("undo", number) if yes else None,
        )

    # -- elsewhere

    def action_again(self) -> None:
        """Asks the archive anew."""
        self.load()

    def action_article(self) -> None:
        """The article of the cause."""
        self.app.go("article", about=self._cause)

    def action_incidents(self) -> None:
        """The list of the group's incidents."""
        self.app.go("archive", text=f"group:{self.page['group']['id']}")

    def action_log(self) -> None:
        """Opens the stored log as a sheet."""
        self.run_worker(self._log, thread=True, group="log", exit_on_error=False)

    def _log(self) -> None:
        """In a worker."""
        try:
            data = stored_log(self.uid)
        except TriageError as fault:
            self.app.call_from_thread(self.app.say, plain(str(fault)))
            return
        self.app.call_from_thread(self._open, data)

    def _open(self, data: bytes) -> None:
        from triage.inputs import Log
        from triage.tui.sheets import grown

        name = self.page["incident"]["id"]
        sheet, chunks = grown(Log(f"{name}.log", iter([data])))
        sheet.filed = name
        while len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        self.app.run_worker(self.app.logs.take(sheet, chunks), group="take", exit_on_error=False)
