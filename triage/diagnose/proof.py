"""What a drafted rule would do: whether it loads, what it would name, what it would change.

The draft is loaded together with the rules of the library, so precedence counts. Only
logs in which the draft's own pattern is found are diagnosed again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from tempfile import TemporaryDirectory
from typing import NamedTuple

from triage.diagnose.draft import PLACEHOLDER, UNNAMED, Draft
from triage.diagnose.extended import one_rule, raw_hits, with_rule
from triage.diagnose.match import match
from triage.diagnose.parts import NOUNS
from triage.folders import data_folder
from triage.ingest.text import shown
from triage.library import Library
from triage.records import Diagnosis
from triage.rulebook.book import Rulebook
from triage.rulebook.read import RuleSource, read_rule, read_rules

Look = Callable[[bytes, Library], Diagnosis]
MOST_SHOWN = 12


class Alarm(NamedTuple):
    """A line of a successful log that the draft takes for a failure."""

    key: str
    line: int
    text: str


class Change(NamedTuple):
    """Another incident that would be named otherwise; ``text`` is the line that the draft takes."""

    key: str
    before: str
    after: str
    text: str


class Proof(NamedTuple):
    """What the checks saw. ``goods`` and ``others`` are how many logs and incidents were looked at."""

    rule: str
    cause: str | None
    faults: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    changes: tuple[Change, ...]
    named: tuple[str, ...]
    silent: tuple[str, ...]
    goods: int
    others: int

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against the rule: it loads, proves itself, raises no alarm, renames no named cause."""
        return not (self.faults or self.alarms or any(c.before not in UNNAMED for c in self.changes))


def prove(
    draft: Draft,
    library: Library,
    goods: Iterable[tuple[str, bytes | str]],
    others: Iterable[tuple[str, str | None, bytes | str]],
    look: Look,
    shipped: Sequence[RuleSource] | None = None,
) -> Proof:
    """Checks a draft against its samples, successful logs and all other incidents.

    Args:
        draft: what ``draft`` wrote, or the same with a text that a person has improved.
        library: today's rules and knowledge.
        goods: key and content of logs of successful runs.
        others: key, present cause and decisive line or whole log of incidents outside the group.
        look: diagnoses a log with a library: the pipeline, handed in from above.
        shipped: sources of the library's rules; default the installation's.
    """
    faults: list[str] = []
    rule = loaded(draft, library, faults)
    if rule is None:
        return Proof(draft.id, draft.cause, tuple(faults), (), (), (), (), 0, 0)
    joined = with_rule(library, rule, read_rules(data_folder("rules")) if shipped is None else shipped)
    faults += _unproved(rule, joined)
    own = one_rule(rule)
    keys = [(s.key, rule.id in spoken_by(_bytes(s.text), joined)) for s in draft.group]
    trial = _Trial(rule, library, joined, own, look)
    alarms, seen_goods = trial.alarms(goods)
    changes, seen_others = trial.changes(others)
    return Proof(
        draft.id,
        draft.cause,
        tuple(faults),
        tuple(alarms),
        tuple(changes),
        tuple(key for key, named in keys if named),
        tuple(key for key, named in keys if not named),
        seen_goods,
        seen_others,
    )


def spoken_by(log: bytes, library: Library) -> set[str]:
    """Ids of the rules that speak on a log: their pattern is found, their conditions hold, none is beaten."""
    from triage.ingest.scan import Scanner, clean, find_events

    book = library.rulebook
    data = clean(log)
    scanner = Scanner(book)
    scanner.feed(data, 1, find_events(book.database, book.scratch, data))
    return {finding.rule.id for finding in match(scanner.settle(), book, library.knowledge).findings}


def vocabulary(library: Library) -> frozenset[str]:
    """Lower-case words that tools and articles use: fixed words of all patterns, titles of all causes."""
    words = re.compile(r"[a-z]{2,}")
    knowledge = library.knowledge
    texts = [re.sub(r"\\.|\?P<\w+>", " ", pattern) for pattern in library.rulebook.written_patterns()]
    articles = [knowledge.article(cause) for cause in knowledge.ids()]
    texts += [f"{article.title} {article.covers} {article.evidence_needed}" for article in articles]
    return frozenset(NOUNS) | {word for text in texts for word in words.findall(text.lower())}


class _Trial(NamedTuple):
    """A rule, alone and among the others."""

    rule: RuleSource
    library: Library
    joined: Library
    own: Rulebook
    look: Look

    def alarms(self, goods: Iterable[tuple[str, bytes | str]]) -> tuple[list[Alarm], int]:
        """Lines of successful logs on which the rule would speak, and how many logs were read."""
        found: list[Alarm] = []
        count = 0
        for key, log in goods:
            count += 1
            hits = raw_hits(_bytes(log), self.own)
            if hits and self.rule.id in spoken_by(_bytes(log), self.joined):
                found.append(Alarm(key, hits[0].line, shown(hits[0].text, 300)))
        return found, count

    def changes(self, others: Iterable[tuple[str, str | None, bytes | str]]) -> tuple[list[Change], int]:
        """Other incidents whose first cause would move, and how many were looked at."""
        found: list[Change] = []
        count = 0
        for key, before, log in others:
            count += 1
            data = _bytes(log)
            hits = raw_hits(data, self.own)
            after = self._after(data, before or "unknown") if hits else None
            if after and after != (before or "unknown"):
                found.append(Change(key, before or "unknown", after, shown(hits[0].text, 300)))
        return found, count

    def _after(self, data: bytes, before: str) -> str:
        """The cause with the rule; what was archived stays where the rule makes no difference today."""
        if self.rule.cause == PLACEHOLDER:
            return PLACEHOLDER if self.rule.id in spoken_by(data, self.joined) else before
        today, then = (first_cause(self.look(data, library)) for library in (self.library, self.joined))
        return before if today == then else then


def first_cause(diagnosis: Diagnosis) -> str:
    """The cause that a diagnosis names first; no-failure or unknown where it names none."""
    if diagnosis.primary is None:
        return "no-failure"
    causes = diagnosis.incidents[diagnosis.primary].causes
    return causes[0].id if causes else "unknown"


def _bytes(log: bytes | str) -> bytes:
    return log.encode("utf-8", "replace") if isinstance(log, str) else log


def loaded(draft: Draft, library: Library, faults: list[str]) -> RuleSource | None:
    """The draft as the loader reads it; where only the cause is missing, that fault and the rule."""
    with TemporaryDirectory(prefix="triage-draft-") as folder:
        path = os.path.join(folder, *draft.id.split("/")) + ".yaml"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(draft.text)
        found: list[str] = []
        rule = read_rule(path, folder, frozenset(library.knowledge.ids()), found)
        if rule is None and draft.cause is None:
            rule = read_rule(path, folder, None, [])
    faults += [fault.replace(path, f"rules/{draft.id}.yaml") for fault in found]
    return rule


def _unproved(rule: RuleSource, joined: Library) -> list[str]:
    """What the samples show that the rule does not promise, through the real matching."""
    faults = [
        f"{rule.id}: nobody speaks on its hit: {text[:120]!r}"
        for text in rule.hits
        if not spoken_by(text.encode(), joined)
    ]
    faults += [
        f"{rule.id}: speaks on its near miss: {text[:120]!r}"
        for text in rule.misses
        if rule.id in spoken_by(text.encode(), joined)
    ]
    return faults


def explain(proof: Proof) -> str:
    """The proof in words, for a terminal."""
    lines = [f"{proof.rule}  {'sound' if proof.sound else 'not ready'}"]
    lines += _listed("Must be mended", [*proof.faults])
    total = len(proof.named) + len(proof.silent)
    lines.append(
        f"Own group: {len(proof.named)} of {total} incidents would be named {proof.cause or '(cause to be filled in)'}"
    )
    lines += _listed("Not named by it", [*proof.silent])
    lines.append(f"Successful logs: {proof.goods} read, {len(proof.alarms)} with a false alarm")
    lines += _listed("False alarms", [f"{a.key} line {a.line}: {a.text[:100]}" for a in proof.alarms])
    lines.append(f"Other incidents: {proof.others} looked at, {len(proof.changes)} would change")
    lines += _listed("Would change", [f"{c.key}: {c.before} -> {c.after}: {c.text[:100]}" for c in proof.changes])
    return "\n".join(lines) + "\n"


def _listed(title: str, rows: Sequence[str]) -> list[str]:
    if not rows:
        return []
    more = [f"  … and {len(rows) - MOST_SHOWN} more"] if len(rows) > MOST_SHOWN else []
    return [f"{title}:", *(f"  {row}" for row in rows[:MOST_SHOWN]), *more]
