"""What the screens of rules ask for, in words where something is wrong. No Textual in here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.errors import TriageError
from triage.inputs import CHUNK
from triage.tui.sheets import Sheet

if TYPE_CHECKING:
    from triage.archive.rule_use import RuleFigures
    from triage.archive.session import Archive
    from triage.diagnose.draft import Draft
    from triage.diagnose.proof import Proof
    from triage.records import Incident
    from triage.rulebook.read import RuleSource
    from triage.service.growing import OnLog
    from triage.service.rules import Word

NAMING = ("cause", "end", "hint")


class Entry(NamedTuple):
    """A rule in the list: ``target`` is the cause that it names, or what else it says; ``words`` is searched."""

    id: str
    folder: str
    topic: str
    cause: str
    target: str
    words: str


class Shelf(NamedTuple):
    """All rules, in order of id."""

    entries: tuple[Entry, ...]

    def matching(self, words: Sequence[str], only: Sequence[str] | None = None) -> list[Entry]:
        """Those that hold every word; ``only`` names the ones that count."""
        chosen = None if only is None else frozenset(only)
        return [
            entry
            for entry in self.entries
            if (chosen is None or entry.id in chosen) and all(word in entry.words for word in words)
        ]

    def cause_of(self, name: str) -> str:
        """The cause that a rule names; empty where it names none."""
        return next((entry.cause for entry in self.entries if entry.id == name), "")


class Use(NamedTuple):
    """Figures of the rules in the archive, and why there are none."""

    figures: Mapping[str, RuleFigures]
    remark: str = ""


def load_shelf() -> Shelf:
    """Every rule with the words by which it is found. Raises RuleFault, KnowledgeFault."""
    from triage.library import load_library

    book = load_library().rulebook
    patterns: dict[int, list[str]] = {}
    for owner, kind, pattern in zip(book.owners, book.kinds, book.written_patterns(), strict=True):
        if kind != "f":
            patterns.setdefault(owner, []).append(pattern)
    entries = []
    for rule in book.rules():
        folder, _, topic = rule.id.rpartition("/")
        cause = rule.cause if rule.says in NAMING else ""
        words = " ".join([rule.id, rule.says, rule.cause, rule.why, *patterns.get(rule.number, ())]).lower()
        entries.append(Entry(rule.id, folder, topic, cause, cause or rule.says, words))
    return Shelf(tuple(entries))


def load_use() -> Use:
    """What the archive says of the rules; no archive is made where there is none."""
    from triage.service.rules import figures

    try:
        with _archive() as (archive, remark):
            if archive is None:
                return Use({}, remark)
            found = figures(archive)
    except TriageError as fault:
        return Use({}, f"The archive cannot be asked: {fault}")
    if found.since is None:
        return Use({}, "The archive has seen no builds yet.")
    return Use({rule.id: rule for rule in found.rules})


def read_rule(name: str) -> tuple[RuleSource | None, list[str], str]:
    """A rule as its file says it now, the faults, and where the file is."""
    from triage.service.rules import read_one, rule_path

    try:
        source, faults = read_one(name)
        return source, faults, rule_path(name)
    except TriageError as fault:
        return None, [str(fault)], ""


def chunks_of(sheet: Sheet) -> Iterator[bytes]:
    """The bytes of an open log as far as they are there."""
    at = 0
    while at < sheet.document.size and (chunk := sheet.document.raw(at, CHUNK)):
        at += len(chunk)
        yield chunk


def words_on_sheet(sheet: Sheet) -> tuple[dict[str, Word], str]:
    """What every rule says of an open log, by its id; and the fault."""
    from triage.library import load_library
    from triage.service.rules import words_on

    try:
        return {word.rule: word for word in words_on(chunks_of(sheet), load_library())}, ""
    except (TriageError, OSError, ValueError) as fault:
        return {}, f"{sheet.name} cannot be tested: {fault}"


def stamp(path: str) -> tuple[int, int]:
    """What changes when a file is written."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def show_line(app: Any, sheet: Sheet, line: int) -> None:
    """Goes back to the logs, to a line of one of them."""
    while len(app.screen_stack) > 2:
        app.pop_screen()
    app.logs.turn_to(sheet, line)


class Findings(NamedTuple):
    """What trying a draft gave: ``remark`` says what could not be asked, ``fault`` why there is nothing."""

    made: Draft | None = None
    proof: Proof | None = None
    on_log: OnLog | None = None
    remark: str = ""
    fault: str = ""


def failures_of(sheet: Sheet) -> list[Incident]:
    """Failures of an open log that a rule can be drafted from: the unknown first, then as the answer has them."""
    diagnosis = sheet.diagnosis
    found = [one for one in diagnosis.incidents if one.causes[0].evidence] if diagnosis else []
    return sorted(found, key=lambda one: (one.causes[0].id != "unknown", one.consequence_of is not None))


def draft_on(sheet: Sheet, incident: Incident, cause: str | None) -> Findings:
    """Drafts the rule for a failure, and tries it; nothing is stored."""
    from triage.service.growing import draft_failure

    try:
        with _archive() as (archive, remark):
            made, proof = draft_failure(archive, incident, cause)
    except TriageError as fault:
        return Findings(fault=str(fault))
    return Findings(made, proof, *_on_log(sheet, made, remark))


def try_on(sheet: Sheet, made: Draft) -> Findings:
    """Tries a draft by its samples, on the whole archive and on the open log; nothing is stored."""
    from triage.service.growing import try_draft

    try:
        with _archive() as (archive, remark):
            proof = try_draft(archive, made)
    except TriageError as fault:
        return Findings(made, fault=str(fault))
    return Findings(made, proof, *_on_log(sheet, made, remark))


def _on_log(sheet: Sheet, made: Draft, remark: str) -> tuple[OnLog | None, str]:
    from triage.service.growing import try_on_log

    try:
        return try_on_log(made, lambda: chunks_of(sheet)), remark
    except (TriageError, OSError, ValueError) as fault:
        return None, f"{remark} It could not be tried on {sheet.name}: {fault}".strip()


@contextmanager
def _archive() -> Iterator[tuple[Archive | None, str]]:
    """The archive, or None and why it was not asked; none is made where there is none."""
    from triage.archive.session import Archive
    from triage.service.filing import open_archive

    with ExitStack() as stack:
        archive, remark = None, ""
        try:
            asked = stack.enter_context(Archive())
            if asked.path is not None and not os.path.exists(asked.path):
                remark = "There is no archive yet."
            else:
                archive = stack.enter_context(open_archive())
        except TriageError as fault:
            remark = f"The archive cannot be asked: {fault}"
        yield archive, remark


def rules_folder() -> str:
    """Where rules are read from."""
    from triage.folders import data_folder

    return data_folder("rules")


def id_of(path: str, otherwise: str) -> str:
    """The id that a rule has in a file; ``otherwise`` where the file is outside the folder of rules."""
    inside = os.path.relpath(os.path.abspath(os.path.expanduser(path)), rules_folder())
    if inside.startswith("..") or os.path.isabs(inside):
        return otherwise
    return os.path.splitext(inside)[0].replace(os.sep, "/")


def save(path: str, text: str) -> str:
    """Writes a rule file whole; gives the fault in words."""
    from triage.service.growing import save_rule

    try:
        save_rule(os.path.expanduser(path), text)
    except TriageError as fault:
        return str(fault)
    return ""


def causes() -> list[tuple[str, str]]:
    """Every cause with its title."""
    from triage.library import load_library

    knowledge = load_library().knowledge
    names = [name for name in knowledge.ids() if name not in ("unknown", "no-failure")]
    return [(name, knowledge.article(name).title) for name in names]
