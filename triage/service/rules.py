"""Rules at hand: where a rule's file is, what every rule says of one log, how often rules decided."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.diagnose.match import match
from triage.errors import UnknownName
from triage.folders import data_folder
from triage.ingest.decode import pieces
from triage.ingest.scan import RawHit, Scanner, clean, find_events
from triage.ingest.text import shown
from triage.library import Library, load_library
from triage.pipeline import FOLD_LIMIT
from triage.rulebook.book import Rulebook
from triage.rulebook.read import NAMES_CAUSE, RuleSource, read_rule

if TYPE_CHECKING:
    from triage.archive.rule_use import RuleTable
    from triage.archive.session import Archive

SPEAKS, MARKS, SILENT = "speaks", "marks", "silent"
MOST_LINES = 50
LONGEST = 300


class Place(NamedTuple):
    """A line that a rule's own pattern found."""

    line: int
    text: str


class Word(NamedTuple):
    """What one rule says of one log.

    ``state`` is speaks (it names a cause or hints at one), marks (it marks success, failure or noise), or silent:
    its pattern was found, and ``why`` tells what kept it from speaking.
    """

    rule: str
    says: str
    cause: str
    state: str
    why: str
    places: tuple[Place, ...]


def rule_path(rule: str) -> str:
    """The file of a rule of this installation. Raises UnknownName."""
    known = [one.id for one in load_library().rulebook.rules()]
    if rule not in known:
        raise UnknownName("rule", rule, known)
    stem = os.path.join(data_folder("rules"), *rule.split("/"))
    return next((path for path in (f"{stem}.yaml", f"{stem}.yml") if os.path.isfile(path)), f"{stem}.yaml")


def read_one(rule: str) -> tuple[RuleSource | None, list[str]]:
    """A rule as its file says it now, proved by its samples; None and the faults where it must not load."""
    faults: list[str] = []
    source = read_rule(rule_path(rule), data_folder("rules"), frozenset(load_library().knowledge.ids()), faults)
    return source, faults


def words_on(chunks: Iterable[bytes], library: Library) -> tuple[Word, ...]:
    """What every rule says of a log in UTF-8; those that speak first, in order of their lines.

    Rules whose own pattern is not found are left out.
    """
    book, knowledge = library.rulebook, library.knowledge
    hits, whole = _scanned(chunks, book)
    matched = match(hits, book, knowledge)
    if whole and not any(finding.says == "cause" for finding in matched.findings):
        from triage.ingest.fold import folded_hits  # as the diagnosis: a second look over joined lines

        hits = [*hits, *folded_hits(whole, book)]
        matched = match(hits, book, knowledge)
    speaking = {finding.rule.number for finding in matched.findings}
    reasons = {rule.number: why for rule, why in matched.blocked}
    found: dict[int, dict[int, RawHit]] = {}
    for hit in hits:
        if book.kinds[hit.pattern] == "m":
            found.setdefault(book.owners[hit.pattern], {}).setdefault(hit.line, hit)
    words = [_word(book, number, number in speaking, reasons, at) for number, at in found.items()]
    order = (SPEAKS, SILENT, MARKS)
    return tuple(sorted(words, key=lambda word: (order.index(word.state), word.places[0].line, word.rule)))


def _word(book: Rulebook, number: int, speaks: bool, reasons: dict[int, str], at: dict[int, RawHit]) -> Word:
    rule = book.rule(number)
    places = tuple(Place(line, shown(at[line].text, LONGEST)) for line in sorted(at)[:MOST_LINES])
    if speaks:
        return Word(rule.id, rule.says, rule.cause, SPEAKS, "", places)
    if number not in reasons and rule.says not in NAMES_CAUSE:
        return Word(rule.id, rule.says, rule.cause, MARKS, "", places)
    why = reasons.get(number, "another rule speaks on the same line")
    return Word(rule.id, rule.says, rule.cause, SILENT, why, places)


def _scanned(chunks: Iterable[bytes], book: Rulebook) -> tuple[list[RawHit], bytes]:
    """Every hit in a log, and its bytes where they are few."""
    scanner, line, kept = Scanner(book), 1, bytearray()
    for data, below in _with_next(pieces(iter(chunks))):
        if len(kept) <= FOLD_LIMIT:
            kept += data
        line = scanner.feed(data, line, find_events(book.database, book.scratch, data), below)
    return scanner.settle(), bytes(kept) if len(kept) <= FOLD_LIMIT else b""


def _with_next(raw: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Each piece, cleaned, with the one that follows it."""
    held = next(raw, None)
    held = clean(held) if held is not None else None
    while held is not None:
        following = next(raw, None)
        cleaned = clean(following) if following is not None else None
        yield held, cleaned or b""
        held = cleaned


def figures(archive: Archive) -> RuleTable:
    """How often each rule that can name a cause decided an incident of the archive, and what people said of it."""
    from triage.archive.rule_use import rule_table

    known = [(rule.id, rule.status) for rule in load_library().rulebook.rules() if rule.says in NAMES_CAUSE]
    with archive.read() as connection:
        return rule_table(connection, known)
