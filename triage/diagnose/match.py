"""Confirmed hits + rulebook -> findings, marks and what was blocked.

A finding is one rule's word: its pattern was found, its conditions hold, and no
more specific rule speaks on the same lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from triage.diagnose import predicates
from triage.diagnose.derive import derive
from triage.ingest.facts import Facts, collect_facts
from triage.ingest.levels import Levels
from triage.ingest.scan import RawHit
from triage.ingest.wrappers import peel
from triage.knowledge import Knowledge
from triage.rulebook.book import Rule, Rulebook

# (kind, rule, place) of a condition -> where its pattern was found
Side = dict[tuple[str, int, int], list[RawHit]]


class Finding(NamedTuple):
    """One rule's word on one log. ``says`` may be weaker than the rule's where the line is only a warning."""

    rule: Rule
    says: str
    hits: tuple[RawHit, ...]
    captures: Mapping[str, str]

    @property
    def line(self) -> int:
        """First line that the rule found."""
        return self.hits[0].line


class Marks(NamedTuple):
    """Lines that prove success or failure without naming a cause."""

    failure: tuple[RawHit, ...]
    success: tuple[RawHit, ...]


class Matched(NamedTuple):
    """Everything the rules say about one log."""

    findings: tuple[Finding, ...]
    blocked: tuple[tuple[Rule, str], ...]
    marks: Marks
    facts: Facts
    levels: Levels


def match(hits: Sequence[RawHit], book: Rulebook, knowledge: Knowledge) -> Matched:
    """Findings in order of their first line."""
    main: dict[int, list[RawHit]] = defaultdict(list)
    side: Side = defaultdict(list)
    fact_hits: list[RawHit] = []
    for hit in hits:
        pattern = book.pattern(hit.pattern)
        if pattern.kind == "m":
            main[pattern.owner].append(hit)
        elif pattern.kind == "f":
            fact_hits.append(hit)
        else:
            side[pattern.kind, pattern.owner, pattern.slot].append(hit)
    facts = collect_facts(fact_hits, book)
    derive(facts, knowledge)
    context = predicates.Context(facts, knowledge)
    levels = Levels(book.extra["formats"])
    blocked: list[tuple[Rule, str]] = []
    candidates: list[tuple[Rule, list[RawHit]]] = []
    for index, found in main.items():
        rule = book.rule(index)
        reason, kept = _conditions(rule, found, side, book, context)
        if kept:
            candidates.append((rule, kept))
        elif reason:
            blocked.append((rule, reason))
    return _assemble(candidates, blocked, levels, context, book)


def _conditions(
    rule: Rule,
    hits: list[RawHit],
    side: Side,
    book: Rulebook,
    context: predicates.Context,
) -> tuple[str, list[RawHit]]:
    """The hits for which the rule's conditions hold, or why none is left."""
    index = rule.number
    if rule.unless and any(side.get(("u", index, slot)) for slot in range(rule.unless)):
        return "the log also holds a line that speaks against it", []
    if rule.needs and not any(side.get(("n", index, slot)) for slot in range(rule.needs)):
        return "the line that must accompany it is not in the log", []
    if not all(side.get(("a", index, slot)) for slot in range(rule.together)):
        return "not all of the lines that must stand together are in the log", []
    if rule.then:
        hits = [kept for hit in hits for kept in _followed(hit, rule, side)]
        if not hits:
            return "the lines that must follow it are not there", []
    if rule.when:
        reason = ""
        kept: list[RawHit] = []
        for hit in hits:
            if book.kinds[hit.pattern] != "m":  # a line that follows goes with the line that it follows
                kept.extend([hit] if kept else [])
                continue
            reason = predicates.refusal(rule.when, captures_of(hit, book), context) or ""
            if not reason:
                kept.append(hit)
        return reason, kept
    return "", hits


def _followed(hit: RawHit, rule: Rule, side: Side) -> list[RawHit]:
    """The hit and the lines that follow it in the rule's order; nothing where one is missing."""
    chain = [hit]
    for slot in range(rule.then):
        later = [
            h for h in side.get(("t", rule.number, slot), ()) if chain[-1].line <= h.line <= hit.line + rule.within
        ]
        if not later:
            return []
        chain.append(min(later, key=lambda h: h.line))
    return chain


def captures_of(hit: RawHit, book: Rulebook) -> dict[str, str]:
    """Named captures of one hit as text."""
    names = book.pattern(hit.pattern).names if hit.groups else ()
    if not names:
        return {}
    from triage.ingest.text import shown_part

    return {name: shown_part(value, hit.text) for name, value in zip(names, _named(hit, book), strict=True) if value}


def _named(hit: RawHit, book: Rulebook) -> list[bytes | None]:
    program = book.pattern(hit.pattern)
    return [hit.groups[place - 1] for place in program.places]


def _assemble(
    candidates: list[tuple[Rule, list[RawHit]]],
    blocked: list[tuple[Rule, str]],
    levels: Levels,
    context: predicates.Context,
    book: Rulebook,
) -> Matched:
    by_line: dict[int, list[Rule]] = defaultdict(list)
    for rule, hits in candidates:
        for line in {hit.line for hit in hits}:
            by_line[line].append(rule)
    findings: list[Finding] = []
    failure: list[RawHit] = []
    success: list[RawHit] = []
    for rule, hits in candidates:
        kept = [hit for hit in hits if not _beaten(rule, by_line[hit.line])]
        if rule.says in ("failure", "end"):  # a line that a better rule explains still proves the failure
            failure.extend(hit for hit in hits if hit not in kept and not _silenced(rule, by_line[hit.line]))
        if not kept:
            if rule.says not in ("failure", "success", "noise"):
                blocked.append((rule, "a more specific rule speaks on the same line"))
        elif rule.says == "failure":
            failure.extend(kept)
        elif rule.says == "success":
            success.extend(kept)
        elif rule.says != "noise":
            findings.extend(
                _finding(rule, subject, levels, book, context) for subject in _by_model(kept, book, context.facts)
            )
    findings.sort(key=lambda finding: (finding.line, finding.hits[0].start))
    failure.sort(key=lambda hit: hit.line)
    success.sort(key=lambda hit: hit.line)
    return Matched(tuple(findings), tuple(blocked), Marks(tuple(failure), tuple(success)), context.facts, levels)


def _silenced(rule: Rule, others: Sequence[Rule]) -> bool:
    return any(other.says == "noise" and other.number not in rule.beats for other in others)


def _beaten(rule: Rule, others: Sequence[Rule]) -> bool:
    for other in others:
        if other.number == rule.number:
            continue
        if rule.number in other.beats:
            return True
        if other.says == "noise" and rule.says != "cause" and other.number not in rule.beats:
            return True
    return False


def model_of(captures: Mapping[str, str], line: int, facts: Facts) -> str | None:
    """The model that a line names, by the rule or by the format."""
    return captures.get("model") or facts.at("model", line)


def _by_model(hits: list[RawHit], book: Rulebook, facts: Facts) -> list[list[RawHit]]:
    """Hits that name different models are different failures."""
    if len(hits) == 1:
        return [hits]
    models: dict[str | None, list[RawHit]] = defaultdict(list)
    for hit in hits:
        captures = captures_of(hit, book)
        models[model_of(captures, hit.line, facts)].append(hit)
    nameless = models.pop(None, [])
    if not models:
        return [nameless]
    groups = list(models.values())
    groups[0].extend(nameless)
    return groups


def _is_loud(hit: RawHit, levels: Levels) -> bool:
    """Whether a line states a failure: no warning, and no source line that a traceback quotes."""
    if _is_quoted_source(hit):
        return False
    return _level(hit, levels) not in ("verbose", "info", "warning")


def _is_quoted_source(hit: RawHit) -> bool:
    """A line below ``File "…", line N`` that is no exception itself, or a numbered line of a notebook."""
    head = hit.text.lstrip(b"->").split(maxsplit=1)
    if len(head) == 2 and head[0].isdigit() and b"raise " in head[1]:
        return True
    above = hit.before.rstrip().rpartition(b"\n")[2]
    if b'File "' not in above or b'", line ' not in above or not peel(above).startswith(b"File "):
        return False
    name = hit.text.partition(b":")[0].replace(b".", b"").replace(b"_", b"")
    return not name.isalnum()


def _level(hit: RawHit, levels: Levels) -> str | None:
    """Level of the line; a line without one belongs to the line above where that ends with a colon."""
    own = levels.of(hit.text)
    if own is None and hit.before.rstrip().endswith(b":"):
        return levels.of(peel(hit.before.rstrip().rpartition(b"\n")[2]))
    return own


def _finding(rule: Rule, hits: list[RawHit], levels: Levels, book: Rulebook, context: predicates.Context) -> Finding:
    hits.sort(key=lambda hit: (hit.line, hit.start))
    says = rule.says
    if says == "cause":
        loud = [hit for hit in hits if _is_loud(hit, levels)]
        if loud:
            hits = [loud[0], *(hit for hit in hits if hit is not loud[0])]
        else:
            says = "hint"
    elif says == "end" and all(_level(hit, levels) == "verbose" for hit in hits):
        says = "hint"
    captures = captures_of(hits[0], book)
    if rule.when:
        captures.update(predicates.derived(rule.when, captures, context))
    return Finding(rule, says, tuple(hits), captures)
