"""A repair while it goes on: one row an attempt, with its result, its seconds, and why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from triage.ingest.text import plain
from triage.tui.repairs import PLANNING, RUNNING, Job
from triage.tui.widgets.signs import RESULTS, cell

if TYPE_CHECKING:
    from rich.text import Text

    from triage.remedy import Attempt

SPIN = "|/-\\"


class Line(NamedTuple):
    """A row: the attempt's number, what it does, its result (empty while it runs), seconds, and why."""

    number: int
    what: str
    result: str
    seconds: float
    why: str = ""
    attempt: Attempt | None = None


class RepairRun(Vertical):
    """A table that grows, and what is known of the attempt under the cursor."""

    DEFAULT_CSS = """
    RepairRun { height: 1fr; }
    RepairRun .head { padding: 0 1; }
    RepairRun DataTable { height: 1fr; min-height: 4; }
    RepairRun .about { height: 30%; min-height: 4; border-top: solid $panel; padding: 0 1; }
    """

    class Chosen(Message):
        """The log of an attempt is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self._drawn: list[Line] = []

    def compose(self) -> ComposeResult:
        """The headline, the table, and the text about a row."""
        yield Static(classes="head")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        with VerticalScroll(classes="about", can_focus=True):
            yield Static()

    def on_mount(self) -> None:
        """The columns."""
        table = self.query_one(DataTable)
        for name in ("#", "result", "seconds", "what"):
            table.add_column(name, key=name)

    @property
    def line(self) -> Line | None:
        """The row under the cursor."""
        at = self.query_one(DataTable).cursor_row
        return self.lines[at] if 0 <= at < len(self.lines) else None

    def show(self, job: Job) -> None:
        """Draws how far a job is; only what changed is written."""
        self.query_one(".head", Static).update(headline(job))
        table = self.query_one(DataTable)
        fresh = lines_of(job)
        follows = table.cursor_row >= len(self.lines) - 1
        if [line.number for line in fresh[: len(self._drawn)]] != [line.number for line in self._drawn]:
            table.clear()
            self._drawn = []
        self.lines = fresh
        for at, line in enumerate(fresh):
            if at >= len(self._drawn):
                table.add_row(*self._cells(line), key=str(line.number))
            elif line != self._drawn[at]:
                for name, text in zip(("#", "result", "seconds", "what"), self._cells(line), strict=True):
                    table.update_cell(str(line.number), name, text, update_width=True)
        grown = len(fresh) > len(self._drawn)
        self._drawn = fresh
        if grown and follows:
            table.move_cursor(row=len(fresh) - 1)
        self._about()

    def _cells(self, line: Line) -> list[Text]:
        if line.number == 0:
            sign, words, colour = RESULTS[line.result] if not line.result else ("·", line.result, "")
        else:
            sign, words, colour = RESULTS[line.result]
        style = self.app.theme_variables.get(colour, "")
        return [cell(str(line.number)), cell(f"{sign} {words}", style), cell(f"{line.seconds:.1f}"), cell(line.what)]

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The text follows the cursor."""
        event.stop()
        self._about()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter opens the log."""
        event.stop()
        self.post_message(self.Chosen())

    def _about(self) -> None:
        self.query_one(".about Static", Static).update(Content(about(self.line)))


def headline(job: Job) -> Content:
    """What runs now and for how long, or how it ended."""
    now = job.now
    if job.phase not in (PLANNING, RUNNING):
        count = len(job.attempts)
        return Content(f"{count} attempt{'s' if count != 1 else ''} made." if job.done else "Nothing was run yet.")
    spent = time.monotonic() - now.since if now else 0.0
    spin = SPIN[int(spent * 4) % len(SPIN)]
    if job.stopping:
        return Content(f"{spin} Stopping …")
    if now is None:
        return Content(f"{spin} Looking for what may cure it …")
    what = "running the build as it is" if now.number == 0 else f"attempt {now.number}: {plain(now.what)}"
    return Content.assemble((f"{spin} ", "$text-primary"), (what, "bold"), f"  {spent:.0f} s  (x stops)")


def lines_of(job: Job) -> list[Line]:
    """All rows: the build as it is, the attempts, and what runs now."""
    found = []
    if job.start:
        said = "succeeds" if job.start.good else "fails"
        why = f"The build as it is {said}" + (f": {job.start.cause}." if job.start.cause else ".")
        found.append(Line(0, f"the build as it is: {job.start.cause or 'good'}", said, job.start.seconds, why))
    for one in job.attempts:
        found.append(Line(one.number, plain(one.step.what), one.result, one.seconds, plain(one.why), one))
    if job.now and job.now.number not in [line.number for line in found]:
        found.append(Line(job.now.number, plain(job.now.what), "", float(int(time.monotonic() - job.now.since))))
    return found


def about(line: Line | None) -> str:
    """What is known of a row."""
    if line is None:
        return ""
    if not line.result:
        return "It runs now. Enter shows its log as it grows."
    one = line.attempt
    if one is None:
        return f"{line.why} Enter shows its log."
    after = f", after attempt {one.parent}" if one.parent else ""
    parts = [f"{RESULTS[line.result][0]} {line.why}", f"by {one.step.fix} ({one.step.safety}){after}"]
    if one.cause_after:
        parts.append(f"failed before with {one.cause_before}, now with {one.cause_after}")
    if one.proof and one.proof.how and one.result in ("cured", "worse"):
        parts.append(plain(one.proof.how))
    parts.append(
        "Enter: its log" + (f"; d: its {len(one.changes)} change(s)" if one.changes else "; nothing was changed")
    )
    return "\n".join(parts)
