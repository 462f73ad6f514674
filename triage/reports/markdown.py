"""The report as Markdown: the same five parts, every excerpt harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.records import Cause, Changed, Incident, Report
from triage.remedy import Remediation
from triage.reports._advice import advice_for
from triage.reports._repair import HEADLINES, number_words
from triage.reports._shape import seen_words

MEDIA_TYPE = "text/markdown"
_ESCAPED = {ord(char): f"\\{char}" for char in "\\`*_{}[]()#+-!|~"}
_ESCAPED.update({ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;", ord("@"): "@\u200b", ord("#"): "\\#\u200b"})


SIMILAR = "**Similar incidents**"

# what hosts turn into links without any markup
_LINKING = (("://", ":\u200b//"), ("www.", "www\u200b."), ("WWW.", "WWW\u200b."), ("GH-", "GH\u200b-"))


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One section a report."""
    return "\n".join("\n".join(_report(report)) + "\n" for report in reports)


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as a section: outcome, attempts, proof, change."""
    return "\n".join(_repair(done)) + "\n"


def _repair(done: Remediation) -> Iterator[str]:
    proven = {True: " and proven", None: ", not compared"}.get(done.verified, "") if done.status == "cured" else ""
    yield f"### {HEADLINES[done.status].capitalize()}{proven}: {done.cause or 'no failure'}"
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
    yield from text.rstrip("\n").replace("\r", "").split("\n")
    yield fence


def escaped(text: str) -> str:
    """Log text as plain Markdown text: no markup, mention, reference or HTML works in it."""
    for word, broken in _LINKING:
        text = text.replace(word, broken)
    return text.translate(_ESCAPED)


def _report(report: Report) -> Iterator[str]:
    diagnosis = report.diagnosis
    if not diagnosis.failure or diagnosis.primary is None:
        yield f"### {escaped(report.source)}: no failure"
        return
    incident = diagnosis.incidents[diagnosis.primary]
    cause = incident.causes[0]
    advice = advice_for(cause.id)
    yield f"### {cause.verdict.capitalize()}: {cause.id}"
    yield ""
    yield f"{escaped(advice.title)} — in {escaped(report.source)}{_about(incident)}"
    for other in incident.causes[1:]:
        yield f"or **{other.id}**: {escaped(advice_for(other.id).title)}"
    yield ""
    yield "**Decisive lines**"
    yield ""
    yield from _lines(cause)
    yield ""
    yield f"**Why** {escaped(cause.why)}"
    for out in incident.ruled_out[:4]:
        yield f"- not {out.id}: {escaped(out.why)}"
    yield ""
    yield "**What to do**"
    yield ""
    yield from _cure(incident, cause, advice.words, advice.commands)
    yield ""
    if report.changed:
        yield from _changed(report.changed)
    yield from _similar(incident)


def settled(text: str) -> int:
    """How much of a rendered report does not wait for the archive."""
    start = text.rfind(SIMILAR)
    return start if start >= 0 else len(text)


def _changed(changed: Changed) -> Iterator[str]:
    yield f"**What changed** {escaped(changed.sentence)}"
    for kind, name, before, after in changed.differences[:8]:
        yield f"- {escaped(kind)} {escaped(name)}: {escaped(before or 'absent')} → {escaped(after or 'absent')}"
    for line, text, _ in changed.new_lines[:5]:
        yield f"- new on line {line}: {escaped(text[:300])}"
    yield ""


def _similar(incident: Incident) -> Iterator[str]:
    if incident.seen is None:
        yield f"{SIMILAR} the archive was not asked"
        return
    yield f"{SIMILAR} {escaped(seen_words(incident.seen))}"
    if incident.seen.note:
        yield f"- note: {escaped(incident.seen.note)}"
    for near in incident.similar:
        fix = f", cured by {escaped(near.fix)}" if near.fix else ""
        yield f"- {near.id}: {escaped(near.cause)}, {near.state}{fix}: {escaped(near.why)}"


def _about(incident: Incident) -> str:
    parts = [
        f"{incident.tool} {incident.tool_version or ''}".strip(),
        incident.stage,
        incident.model,
        incident.precision,
    ]
    return " (" + escaped(" · ".join(part for part in parts if part)) + ")"


def _lines(cause: Cause) -> Iterator[str]:
    """An indented code block cannot be closed by anything that stands in the log."""
    for line in cause.evidence:
        yield f"    {line.line}: {line.text}"


def _cure(incident: Incident, cause: Cause, words: str, commands: Sequence[str]) -> Iterator[str]:
    if incident.needed:
        yield f"To be sure, get: {escaped(incident.needed)}"
    if cause.id == "unknown":
        return
    yield words
    for fix in cause.fixes:
        yield f"- {fix.title} (`{fix.id}`, {fix.safety})"
    if commands:
        yield from ("", "```bash", *commands, "```")
