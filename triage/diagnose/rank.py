"""Findings -> diagnosis: which line is the cause, which the echo. Pure arithmetic.

The order of decision:

1. A finding whose cause is explained by a deeper cause in the same log is a
   consequence (``explained-by`` of the articles).
2. Lines that state a cause beat end messages, end messages beat hints; a hint
   counts as much as a cause where it explains a failure that is in the log.
3. Among equals the first failure wins; an exception that was being handled when
   another one rose gives way to the later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from triage.diagnose.match import Finding, Matched
from triage.knowledge import Knowledge

STRONG, END, HINT = 0, 1, 2


class Ranked(NamedTuple):
    """Findings in order of rank and what each of the others follows from."""

    roots: tuple[Finding, ...]
    consequences: tuple[tuple[Finding, Finding], ...]
    silent: tuple[Finding, ...]
    failed: bool


def rank(matched: Matched, knowledge: Knowledge) -> Ranked:
    """Orders the findings; ``roots[0]`` is the cause."""
    named = [f for f in matched.findings if f.rule.cause != "unknown"]
    failed = has_failed(matched)
    if not failed:
        return Ranked((), (), tuple(named), False)
    consequences: list[tuple[Finding, Finding]] = []
    roots: list[Finding] = []
    explaining: set[int] = set()
    for finding in named:
        reason = _deeper(finding, named, knowledge)
        if reason is None:
            roots.append(finding)
        else:
            consequences.append((finding, reason))
            explaining.add(reason.rule.number)
    roots.sort(
        key=lambda f: (_tier(f, explaining), _position(f, matched), f.rule.tool == "other", f.line, f.hits[0].start)
    )
    silent = [f for f in roots if _tier(f, explaining) == HINT]
    loud = [f for f in roots if _tier(f, explaining) != HINT]
    if loud:
        return Ranked(tuple(loud), tuple(consequences), tuple(silent), True)
    return Ranked(tuple(silent), tuple(consequences), (), True)


def _deeper(finding: Finding, others: Sequence[Finding], knowledge: Knowledge) -> Finding | None:
    causes = knowledge.deeper(finding.rule.cause)
    for other in others:
        if other.rule.cause in causes and _weight(other) >= _weight(finding):
            return other
    return None


def _weight(finding: Finding) -> int:
    """What may explain what: an end message or a mere hint never explains a line that states a cause.

    A rule's cause that was printed as a warning may: the reason is often said softly.
    """
    if finding.rule.says == "cause":
        return 2
    return 1


def _tier(finding: Finding, explaining: set[int]) -> int:
    if finding.says == "cause":
        return STRONG
    if finding.rule.number in explaining:
        return STRONG
    return END if finding.says == "end" else HINT


def _position(finding: Finding, matched: Matched) -> int:
    """1 for what was being handled when a later exception rose, else 0."""
    handled = matched.facts.marks.get("handled", ())
    starts = matched.facts.marks.get("traceback", ())
    for line in handled:
        earlier = [start for start in starts if start <= line]
        if earlier and earlier[-1] <= finding.line <= line:
            return 1
    return 0


def has_failed(matched: Matched) -> bool:
    """Whether the log shows a failure at all."""
    marks = matched.marks
    loud = [f.line for f in matched.findings if f.says in ("cause", "end")]
    failing = [hit.line for hit in marks.failure]
    if not loud and not failing:
        return False
    last_success = marks.success[-1].line if marks.success else 0
    return last_success <= max([*loud, *failing])
