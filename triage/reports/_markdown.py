"""Text of a log as harmless Markdown of GitHub, GitLab and Gitea; and the section of one failure.

Hosts look for mentions, references, commits and addresses in the finished text, where a backslash is gone. So a
space of no width stands behind each sign that could begin one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.records import Cause, Changed, Incident
from triage.reports._advice import Advice, advice_for
from triage.reports._failures import Failure, clean
from triage.reports._shape import seen_words

GAP = "\u200b"
SIMILAR = "**Similar incidents**"
_ESCAPED = {ord(char): f"\\{char}" for char in "\\`*_{}[]()#!|~$^"}
_ESCAPED.update({ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;"})
_SIGN = re.compile(r"[@#]|[!&%~$^*\[{](?=[\w\"'(\[{^+:-])")
_EMOJI = re.compile(r":(?=[\w+-]+(?::|$))")
_COMMIT = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{7,64}(?![0-9A-Za-z])")
_WORD = re.compile(r"(?i)\b(gh(?=-\d)|www(?=\.)|mailto(?=:)|xmpp(?=:))|:(?=//)")
_NO_NAME = re.compile(r"[^\w./+ -]")
_START = re.compile(r"(\d{0,9})([-+=.)/]|:(?=:))")  # begins a list, a rule or a command
_SIX = re.compile(r".{6}(?=.)")


def escaped(text: str) -> str:
    """Plain text that stays plain: no markup, mention, reference, link, command or HTML works in it."""
    text = _SIGN.sub(lambda found: found.group() + GAP, clean(text, 4000))
    text = _COMMIT.sub(lambda found: _SIX.sub(lambda six: six.group() + GAP, found.group()), text)
    text = _WORD.sub(lambda found: found.group() + GAP, _EMOJI.sub(":" + GAP, text))
    text = text.translate(_ESCAPED)
    return _START.sub(r"\1\\\2", text, count=1) if _START.match(text) else text


def name(text: str) -> str:
    """An id as it is, without any sign that an id does not have."""
    return _NO_NAME.sub("", clean(text, 200)).lstrip("/")


def section(failure: Failure, most_lines: int = 20) -> Iterator[str]:
    """The five parts of one failure: verdict, decisive lines, why, what to do, similar incidents."""
    yield from upper(failure, most_lines)
    if failure.report.changed:
        yield from changes(failure.report.changed)
    yield from similar(failure.incident)


def upper(failure: Failure, most_lines: int = 20) -> Iterator[str]:
    """What a failure itself says: all but its history."""
    incident, cause = failure.incident, failure.cause
    advice = advice_for(cause.id)
    more = f", and in {len(failure.sources) - 1} more" if len(failure.sources) > 1 else ""
    yield f"### {name(cause.verdict).capitalize()}: {name(cause.id)}"
    yield ""
    yield f"{escaped(advice.title)} — in {escaped(failure.report.source)}{more}{_about(incident)}"
    for other in incident.causes[1:]:
        yield f"or **{name(other.id)}**: {escaped(advice_for(other.id).title)}"
    yield from ("", "**Decisive lines**", "")
    yield from decisive(cause, most_lines)
    yield ""
    yield f"**Why** {escaped(cause.why)}"
    for out in incident.ruled_out[:4]:
        yield f"- not {name(out.id)}: {escaped(out.why)}"
    yield from ("", "**What to do**", "")
    yield from _cure(incident, cause, advice)
    yield ""


def _about(incident: Incident) -> str:
    tool = f"{incident.tool} {incident.tool_version or ''}".strip()
    parts = [tool, incident.stage, incident.model, incident.precision]
    return " (" + escaped(" · ".join(part for part in parts if part)) + ")"


def decisive(cause: Cause, most: int) -> Iterator[str]:
    """An indented code block cannot be closed by anything that stands in the log."""
    for line in cause.evidence[:most]:
        yield f"    {line.line}: {clean(line.text, 4000)}"
    if len(cause.evidence) > most:
        yield from ("", f"and {len(cause.evidence) - most} more lines")


def _cure(incident: Incident, cause: Cause, advice: Advice) -> Iterator[str]:
    if incident.needed:
        yield f"To be sure, get: {escaped(incident.needed)}"
    if cause.id == "unknown":
        return
    yield advice.words
    for fix in cause.fixes:
        yield f"- {escaped(fix.title)} (`{name(fix.id)}`, {name(fix.safety)})"
    if advice.commands:
        yield from ("", "```bash", *advice.commands, "```")


def others(incidents: Sequence[Incident]) -> Iterator[str]:
    """Further independent failures, a line each."""
    for incident in incidents[:5]:
        cause = incident.causes[0]
        text = escaped(cause.evidence[0].text[:300]) if cause.evidence else ""
        yield f"**Another failure** {name(cause.id)} on line {incident.span[0]}: {text}"
        yield ""
    if len(incidents) > 5:
        yield from (f"and {len(incidents) - 5} more failures", "")


def changes(changed: Changed) -> Iterator[str]:
    """What differs from the last good build."""
    yield f"**What changed** {escaped(changed.sentence)}"
    for kind, what, before, after in changed.differences[:8]:
        yield f"- {escaped(kind)} {escaped(what)}: {escaped(before or 'absent')} → {escaped(after or 'absent')}"
    for line, text, _ in changed.new_lines[:5]:
        yield f"- new on line {line}: {escaped(text[:300])}"
    yield ""


def similar(incident: Incident) -> Iterator[str]:
    """How well the failure is known, and its neighbours."""
    if incident.seen is None:
        yield f"{SIMILAR} the archive was not asked"
        return
    yield f"{SIMILAR} {escaped(seen_words(incident.seen))}"
    if incident.seen.note:
        yield f"- note: {escaped(incident.seen.note)}"
    for near in incident.similar:
        fix = f", cured by {escaped(near.fix)}" if near.fix else ""
        yield f"- {name(near.id)}: {escaped(near.cause)}, {escaped(near.state)}{fix}: {escaped(near.why)}"
