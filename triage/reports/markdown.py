"""The report as Markdown: the same five parts, every excerpt harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._failures import Failure, clean, independent
from triage.reports._markdown import SIMILAR, changes, escaped, name, others, similar, upper
from triage.reports._repair import HEADLINES, number_words

__all__ = ["MEDIA_TYPE", "escaped", "render", "repair", "settled"]
MEDIA_TYPE = "text/markdown"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One section a report."""
    return "\n".join("\n".join(_report(report)) + "\n" for report in reports)


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as a section: outcome, attempts, proof, change."""
    return "\n".join(_repair(done)) + "\n"


def _repair(done: Remediation) -> Iterator[str]:
    proven = {True: " and proven", None: ", not compared"}.get(done.verified, "") if done.status == "cured" else ""
    yield f"### {HEADLINES[done.status].capitalize()}{proven}: {name(done.cause or 'no failure')}"
    yield ""
    yield escaped(done.why)
    if done.attempts:
        yield ""
        yield "| # | tried | result | why |"
        yield "|---|---|---|---|"
        for attempt in done.attempts:
            yield f"| {attempt.number} | {escaped(attempt.step.what)} | {attempt.result} | {escaped(attempt.why)} |"
    if done.status == "cured" and done.proof:
        yield ""
        yield f"**Proof** {escaped(done.proof.how)}"
        for row in done.proof.numbers[:6]:
            yield f"- {escaped(number_words(row))}"
    if done.changes:
        yield ""
        yield "**Change**"
        yield ""
        yield from _fenced("".join(change.diff for change in done.changes)[:20_000])
    for one in done.by_hand[:6] if not done.verified else ():
        yield f"- by hand: {escaped(one.title)}"


def _fenced(text: str) -> Iterator[str]:
    """A code block that nothing inside can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    yield f"{fence}diff"
    yield from (clean(line, 4000) for line in text.rstrip("\n").split("\n"))
    yield fence


def _report(report: Report) -> Iterator[str]:
    incidents = independent(report)
    if not incidents:
        yield f"### {escaped(report.source)}: no failure"
        return
    yield from upper(Failure(report, incidents[0], (report.source,)))
    yield from others(incidents[1:])
    if report.changed:
        yield from changes(report.changed)
    yield from similar(incidents[0])


def settled(text: str) -> int:
    """How much of a rendered report does not wait for the archive."""
    start = text.rfind(SIMILAR)
    return start if start >= 0 else len(text)
