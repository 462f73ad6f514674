"""The answer to a log: verdict, decisive lines, why, what to do, what is similar. Every row of use can be chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from triage.records import Cause, Incident, Report
from triage.reports._advice import advice_for
from triage.reports._shape import seen_words

# verdict -> (sign, words, style): never told by colour alone
VERDICTS = {
    "named": ("✗", "NAMED", "$text-error"), "likely": ("?", "LIKELY", "$text-warning"),
    "unknown": ("…", "UNKNOWN", "$text-warning"), "no-failure": ("✓", "NO FAILURE", "$text-success"),
}  # fmt: skip
MOST_LINES, MOST_OUT, MOST_FIXES, MOST_OTHERS = 6, 4, 6, 6
LONGEST = 600
_BULLET = re.compile(r"\s(?=(?:-|\d{1,2}\.)\s)")  # where a list of the article begins its next point


class Row(Static, can_focus=True):
    """A line of the answer that can be chosen: a place in the log, a command, a repair, an incident."""

    BINDINGS: ClassVar = [Binding("enter", "choose", "Choose", id="answer.choose")]
    ACTS: ClassVar[dict[str, str]] = {
        "line": "go there", "copy": "copy", "fix": "read about it", "incident": "open", "cause": "read about it",
        "open": "open", "session": "open all",
    }  # fmt: skip

    class Chosen(Message):
        """A row was chosen: ``kind`` is line, copy, fix, cause or incident; ``value`` says which."""

        def __init__(self, kind: str, value: str) -> None:
            super().__init__()
            self.kind = kind
            self.value = value

    def __init__(self, content: Content, kind: str, value: str) -> None:
        super().__init__(content, classes=f"row {kind}")
        self.kind = kind
        self.value = value
        self.tooltip = f"Enter: {self.ACTS[kind]}"

    def action_choose(self) -> None:
        """Says what was chosen."""
        self.post_message(self.Chosen(self.kind, self.value))

    def on_click(self) -> None:
        """A click chooses."""
        self.action_choose()


class Answer(VerticalScroll):
    """Shows a report; ``show`` replaces what stands there."""

    BINDINGS: ClassVar = [
        Binding("j,down", "next_row", "Next", show=False, id="answer.down"),
        Binding("k,up", "previous_row", "Previous", show=False, id="answer.up"),
    ]
    BORDER_TITLE = "Answer"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name for it
        super().__init__(id=id)
        self._blocks: list[Static] = [Static("Reading …", classes="dim")]

    def compose(self) -> ComposeResult:
        """What stands there."""
        yield from self._blocks

    def show(self, blocks: Iterator[Static]) -> None:
        """Replaces everything."""
        self._blocks = list(blocks)
        if self.is_attached:
            self.refresh(recompose=True)
            self.scroll_home(animate=False)

    def action_next_row(self) -> None:
        """Goes to the next row of use, or scrolls."""
        self._step(1)

    def action_previous_row(self) -> None:
        """Goes to the row before, or scrolls."""
        self._step(-1)

    def _step(self, by: int) -> None:
        rows = list(self.query(Row))
        at = next((place for place, row in enumerate(rows) if row.has_focus), -1 if by > 0 else len(rows))
        if 0 <= at + by < len(rows):
            rows[at + by].focus()
        else:
            self.scroll_relative(y=by, animate=False)


def blocks_of(report: Report, filed: str = "", seconds: float = 0.0, remark: str = "") -> Iterator[Static]:
    """A report as blocks of the answer."""
    diagnosis = report.diagnosis
    incident = diagnosis.incidents[diagnosis.primary] if diagnosis.primary is not None else None
    took = f"{diagnosis.lines:,} lines · answered in {seconds:.2f} s"
    if incident is None or not diagnosis.failure:
        yield _headline("no-failure", Content("The log shows no failure."))
        yield Static(took, classes="dim")
        return
    yield from _what(incident)
    yield from _lines(incident.causes[0])
    yield from _why(incident)
    yield from _to_do(incident)
    yield from _others(report, incident)
    yield from _similar(incident, filed, remark)
    yield Static(took, classes="dim")


def _headline(verdict: str, rest: Content) -> Static:
    sign, words, style = VERDICTS[verdict]
    return Static(Content.assemble((f"{sign} {words}", f"bold {style}"), "  ", rest), classes="headline")


def _title(text: str) -> Static:
    return Static(text, classes="title")


def _text(text: str) -> Static:
    return Static(Content(text), classes="text")


def _what(incident: Incident) -> Iterator[Static]:
    for place, cause in enumerate(incident.causes):
        title = advice_for(cause.id).title.rstrip(".")
        if place == 0:
            yield _headline(cause.verdict, Content.assemble((cause.id, "bold"), f"  {title}"))
        else:
            yield Row(Content.assemble("   or ", (cause.id, "bold"), f"  {title}"), "cause", cause.id)
    tool = f"{incident.tool} {incident.tool_version or ''}".strip() if incident.tool != "other" else ""
    where = [tool, incident.stage, incident.model, incident.precision]
    if any(where):
        yield Static(Content(" · ".join(part for part in where if part)), classes="dim")


def _lines(cause: Cause) -> Iterator[Static]:
    yield _title("Decisive lines")
    for line in cause.evidence[:MOST_LINES]:
        text, end = line.text[:LONGEST], min(line.end, LONGEST)
        marked = Content(text)
        if line.start < end:
            marked = Content.assemble(text[: line.start], (text[line.start : end], "bold underline"), text[end:])
        yield Row(Content.assemble((f"▶ {line.line:,}  ", "$text-error"), marked), "line", str(line.line))
    if len(cause.evidence) > MOST_LINES:
        yield Static(f"and {len(cause.evidence) - MOST_LINES} more: ] and [ go through them", classes="dim")


def _why(incident: Incident) -> Iterator[Static]:
    yield _title("Why")
    yield _text(incident.causes[0].why)
    for out in incident.ruled_out[:MOST_OUT]:
        yield Static(Content(f"not {out.id}: {out.why}"), classes="dim")
    if len(incident.ruled_out) > MOST_OUT:
        yield Static(f"and {len(incident.ruled_out) - MOST_OUT} more were ruled out", classes="dim")


def _to_do(incident: Incident) -> Iterator[Static]:
    cause = incident.causes[0]
    yield _title("What to do")
    if incident.needed:
        yield _text(f"To be sure, get: {incident.needed}")
    if cause.id == "unknown":
        return
    advice = advice_for(cause.id)
    for part in filter(None, _BULLET.split(advice.words)):
        yield _text(part)
    for fix in cause.fixes[:MOST_FIXES]:
        yield Row(Content.assemble(f"· {fix.title} ", (f"({fix.id}, {fix.safety})", "dim")), "fix", fix.id)
    if advice.commands:
        yield Row(Content("\n".join(advice.commands)), "copy", "\n".join(advice.commands))
    yield Row(Content(f"Read the article of {cause.id}"), "cause", cause.id)


def _others(report: Report, incident: Incident) -> Iterator[Static]:
    rest = [one for one in report.diagnosis.incidents if one is not incident]
    if not rest:
        return
    yield _title("Other failures")
    for one in rest[:MOST_OTHERS]:
        what = "follows from it" if one.consequence_of is not None else "independent"
        sign = "·" if one.consequence_of is not None else "✗"
        yield Row(Content(f"{sign} {one.span[0]:,}  {one.causes[0].id} ({what})"), "line", str(one.span[0]))
    if len(rest) > MOST_OTHERS:
        yield Static(f"and {len(rest) - MOST_OTHERS} more", classes="dim")


def _similar(incident: Incident, filed: str, remark: str) -> Iterator[Static]:
    yield _title("Similar incidents")
    if remark:
        yield _text(remark)
    elif incident.seen is None:
        yield Static("The archive has not seen this failure.", classes="dim")
    else:
        once = incident.seen.times == 1 and not incident.id and not incident.seen.confirmed
        yield _text(f"Seen once before, on {incident.seen.first[:10]}." if once else seen_words(incident.seen))
        if incident.seen.note:
            yield _text(f"note: {incident.seen.note}")
        yield Row(Content(f"{incident.seen.group}  this failure's group"), "incident", incident.seen.group)
    for near in incident.similar:
        cured = f", cured by {near.fix}" if near.fix else ""
        words = Content.assemble(f"{near.id}  ", (near.cause, "bold"), f", {near.state}{cured}\n  {near.why}")
        yield Row(words, "incident", near.id)
    if filed:
        yield Row(Content(f"filed as {filed}"), "incident", filed)
