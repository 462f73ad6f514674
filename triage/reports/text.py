"""The report for a terminal: verdict, decisive lines, why, what to do, similar incidents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.records import Cause, Changed, Evidence, Incident, Report
from triage.remedy import Remediation
from triage.reports._advice import advice_for
from triage.reports._failures import harmless
from triage.reports._repair import repair_lines
from triage.reports._shape import seen_words

MEDIA_TYPE = "text/plain"
_STYLES = {"red": "31;1", "green": "32;1", "yellow": "33;1", "cyan": "36", "dim": "2", "bold": "1"}
_VERDICT = {"named": "red", "likely": "yellow", "unknown": "yellow", "no-failure": "green"}
LONGEST = 400
SIMILAR, CHANGED = "Similar incidents", "What changed"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """All reports, one after the other."""
    return harmless("\n".join("\n".join(_report(report, _Paint(colour), width)) + "\n" for report in reports))


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair on one screen: the verdict, what was tried, the proof, the change, and what to type."""
    paint = _Paint(colour)
    return harmless("\n".join(repair_lines(done, _short(done, report, paint, width), paint, width)) + "\n")


def _short(done: Remediation, report: Report | None, paint: _Paint, width: int) -> Iterator[str]:
    """What failed, in few lines."""
    diagnosis = report.diagnosis if report else None
    if diagnosis is None or diagnosis.primary is None:
        yield paint("bold", " ".join(done.recipe.command)[:width])
        return
    incident = diagnosis.incidents[diagnosis.primary]
    cause = incident.causes[0]
    title = advice_for(cause.id).title.rstrip(".")
    yield paint(_VERDICT[cause.verdict], cause.verdict.upper()) + "  " + paint("bold", cause.id) + f"  {title}"
    gutter = len(str(max((line.line for line in cause.evidence), default=1))) + 4
    for line in cause.evidence[:1]:
        yield from _marked(line, gutter, paint, width)
    yield from _wrapped(cause.why, width, "  ")


def settled(text: str) -> int:
    """How much of a rendered report does not wait for the archive."""
    start = text.rfind(SIMILAR)
    if text.rfind(CHANGED) > 0:
        start = min(start, text.rfind(CHANGED))
    return text.rfind("\n", 0, start) + 1 if start >= 0 else len(text)


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and text else text


def _report(report: Report, paint: _Paint, width: int) -> Iterator[str]:
    diagnosis = report.diagnosis
    if not diagnosis.failure or diagnosis.primary is None:
        yield _header(report, None, paint)
        yield ""
        yield paint("green", "NO FAILURE") + "  the log shows no failure."
        return
    incident = diagnosis.incidents[diagnosis.primary]
    yield _header(report, incident, paint)
    yield ""
    yield from _incident(incident, paint, width)
    yield from _others(diagnosis.incidents, diagnosis.primary, paint, width)
    if report.changed:
        yield from _changed(report.changed, paint, width)
    yield ""
    yield paint("cyan", SIMILAR)
    yield from _similar(incident, paint, width)


def _header(report: Report, incident: Incident | None, paint: _Paint) -> str:
    lines = report.diagnosis.lines
    parts = [f"{lines:,} line{'s' if lines != 1 else ''}"]
    if incident:
        tool = incident.tool if incident.tool != "other" else None
        parts += [f"{tool} {incident.tool_version or ''}".strip() if tool else "", incident.stage or ""]
        parts += [incident.model or "", incident.precision or ""]
    return paint("bold", report.source) + paint("dim", " · " + " · ".join(part for part in parts if part))


def _incident(incident: Incident, paint: _Paint, width: int) -> Iterator[str]:
    cause = incident.causes[0]
    advice = advice_for(cause.id)
    title = advice.title.rstrip(".")
    yield paint(_VERDICT[cause.verdict], cause.verdict.upper()) + "  " + paint("bold", cause.id) + f"  {title}"
    for other in incident.causes[1:]:
        yield f"        or {paint('bold', other.id)}  {advice_for(other.id).title.rstrip('.')}"
    yield ""
    yield paint("cyan", "Decisive lines")
    yield from _decisive(cause, paint, width)
    yield ""
    yield paint("cyan", "Why")
    yield from _wrapped(cause.why, width, "  ")
    yield from _ruled_out(incident, paint, width)
    yield ""
    yield paint("cyan", "What to do")
    yield from _what_to_do(incident, cause, paint, width)


def _decisive(cause: Cause, paint: _Paint, width: int) -> Iterator[str]:
    gutter = len(str(max(line.line for line in cause.evidence) + 2)) + 4
    for index, line in enumerate(cause.evidence[:4]):
        if index == 0:
            for offset, text in enumerate(line.before):
                number = line.line - len(line.before) + offset
                yield paint("dim", f"{number:>{gutter}} │ {_cut(text, width - gutter - 3)}")
        yield from _marked(line, gutter, paint, width)
        if index == 0:
            for offset, text in enumerate(line.after):
                yield paint("dim", f"{line.line + 1 + offset:>{gutter}} │ {_cut(text, width - gutter - 3)}")
    if len(cause.evidence) > 4:
        yield paint("dim", f"{'':>{gutter}} │ and {len(cause.evidence) - 4} more")


def _marked(line: Evidence, gutter: int, paint: _Paint, width: int) -> Iterator[str]:
    room = max(width - gutter - 3, 40)
    text, start, end = line.text, line.start, line.end
    shift = 0
    if start > room - 20 and len(text) > room:
        shift = max(0, min(start - 10, len(text) - room))
    visible = text[shift : shift + room]
    lead = "…" if shift else ""
    tail = "…" if shift + room < len(text) else ""
    visible = lead + visible[len(lead) : len(visible) - len(tail)] + tail
    yield paint("red", f"{'▶ ' + str(line.line):>{gutter}}") + " │ " + visible
    left, right = max(start - shift, 0), min(end - shift, room)
    if right > left and right - left < len(text):
        yield f"{'':>{gutter}} │ " + " " * left + paint("red", "^" * (right - left))


def _cut(text: str, room: int) -> str:
    room = max(room, 40)
    return text if len(text) <= room else text[: room - 1] + "…"


def _ruled_out(incident: Incident, paint: _Paint, width: int) -> Iterator[str]:
    for out in incident.ruled_out[:4]:
        yield from _wrapped(f"not {out.id}: {out.why}", width, "  ", paint)
    if len(incident.ruled_out) > 4:
        yield paint("dim", f"  and {len(incident.ruled_out) - 4} more were ruled out (--format json lists them)")


def _what_to_do(incident: Incident, cause: Cause, paint: _Paint, width: int) -> Iterator[str]:
    advice = advice_for(cause.id)
    if incident.needed:
        yield from _wrapped(f"To be sure, get: {incident.needed}", width, "  ")
    if cause.id == "unknown":
        return
    yield from _wrapped(advice.words, width, "  ")
    for fix in cause.fixes[:4]:
        yield f"  · {fix.title} " + paint("dim", f"({fix.id}, {fix.safety})")
    for command in advice.commands:
        yield "      " + command
    yield "  " + paint("dim", f"more: triage explain {cause.id}")


def _others(incidents: Sequence[Incident], primary: int, paint: _Paint, width: int) -> Iterator[str]:
    rest = [i for i in incidents if i is not incidents[primary]]
    follows = [i for i in rest if i.consequence_of is not None]
    if follows:
        yield ""
        yield paint("dim", "Follows from it: ") + ", ".join(f"{i.causes[0].id} (line {i.span[0]})" for i in follows[:6])
    independent = [i for i in rest if i.consequence_of is None]
    for incident in independent[:3]:
        yield ""
        yield paint("cyan", "Another failure") + f"  {incident.causes[0].id} on line {incident.span[0]}"
        yield from _wrapped(incident.causes[0].evidence[0].text[:LONGEST], width, "  ")


def _changed(changed: Changed, paint: _Paint, width: int) -> Iterator[str]:
    yield ""
    yield paint("cyan", CHANGED)
    yield from _wrapped(changed.sentence, width, "  ")
    for kind, name, before, after in changed.differences[:8]:
        yield from _wrapped(f"· {kind} {name}: {before or 'absent'} → {after or 'absent'}", width, "    ")
    if len(changed.differences) > 8:
        yield paint("dim", f"    and {len(changed.differences) - 8} more differences (--format json lists them)")
    for line, text, times in changed.new_lines[:5]:
        often = f"  ({times} times)" if times > 1 else ""
        yield f"  {paint('dim', f'new {line:>6} │')} {_cut(text, width - 16)}{often}"
    if len(changed.new_lines) > 5:
        yield paint("dim", f"  and {len(changed.new_lines) - 5} more lines that the good build never printed")


def _similar(incident: Incident, paint: _Paint, width: int) -> Iterator[str]:
    if incident.seen is None:
        yield paint("dim", "  the archive was not asked")
        return
    yield from _wrapped(seen_words(incident.seen), width, "  ")
    if incident.seen.note:
        yield from _wrapped(f"note: {incident.seen.note}", width, "  ")
    for near in incident.similar:
        fix = f", cured by {near.fix}" if near.fix else ""
        yield f"  {near.id}  {paint('bold', near.cause)}, {near.state}{fix}"
        yield from _wrapped(near.why, width, "      ", paint)
    yield paint("dim", f"  filed as {incident.id} in group {incident.seen.group}")


def _wrapped(text: str, width: int, indent: str, paint: _Paint | None = None) -> Iterator[str]:
    line = indent
    for word in text.split():
        if len(line) + len(word) + 1 > width and line.strip():
            yield paint("dim", line.rstrip()) if paint else line.rstrip()
            line = indent
        line += word + " "
    if line.strip():
        yield paint("dim", line.rstrip()) if paint else line.rstrip()
