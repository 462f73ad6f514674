"""The plan of a repair: what would be tried, in which order, how safe it is, and what it would change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from triage.errors import TriageError
from triage.ingest.text import plain
from triage.remedy import Remediation
from triage.tui.repairs import Job
from triage.tui.widgets.signs import SAFETIES, cell


class Planned(NamedTuple):
    """A row of the plan: its place (empty where it is not tried), what, how safe, which fix, and a remark."""

    place: str
    what: str
    safety: str
    fix: str
    remark: str = ""


class RepairPlan(Vertical):
    """A table of fixes, and what the one under the cursor changes."""

    DEFAULT_CSS = """
    RepairPlan { height: 1fr; }
    RepairPlan .head { padding: 0 1; }
    RepairPlan DataTable { height: 1fr; min-height: 4; }
    RepairPlan .about { height: 45%; border-top: solid $panel; padding: 0 1; }
    """

    class Chosen(Message):
        """A fix's article is wanted."""

        def __init__(self, fix: str) -> None:
            super().__init__()
            self.fix = fix

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Planned] = []

    def compose(self) -> ComposeResult:
        """The headline, the table, and the text about a row."""
        yield Static(classes="head")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        with VerticalScroll(classes="about", can_focus=True):
            yield Static()

    def on_mount(self) -> None:
        """The columns."""
        self.query_one(DataTable).add_columns("#", "safety", "repair", "would be tried")

    def show(self, job: Job) -> None:
        """Draws the plan of a job."""
        plan = job.plan
        self._rows = list(rows_of(plan, unsafe=job.draft.unsafe)) if plan else []
        self.query_one(".head", Static).update(headline(job, self._rows))
        table = self.query_one(DataTable)
        table.clear()
        colours = self.app.theme_variables
        for row in self._rows:
            sign, words, colour = SAFETIES[row.safety]
            dim = "" if row.place else "dim"
            what = f"{row.what}  ({row.remark})" if row.remark else row.what
            safety = cell(f"{sign} {words}", colours.get(colour, ""))
            table.add_row(cell(row.place or "·", dim), safety, cell(row.fix, dim), cell(what, dim))
        self._about(0)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The text follows the cursor."""
        event.stop()
        self._about(event.cursor_row)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter reads the article."""
        event.stop()
        if event.cursor_row < len(self._rows):
            self.post_message(self.Chosen(self._rows[event.cursor_row].fix))

    def _about(self, at: int) -> None:
        text = about(self._rows[at]) if at < len(self._rows) else ""
        self.query_one(".about Static", Static).update(Content(text))


def headline(job: Job, rows: list[Planned]) -> Content:
    """How the build goes as it is, and how much would be tried."""
    start, count = job.start, sum(bool(row.place) for row in rows)
    if start is None:
        return Content("")
    if start.good:
        return Content(f"✓ The build succeeds here ({start.seconds:.1f} s); there is nothing to repair.")
    many = f"{count} repair{'s' if count != 1 else ''} would be tried, in this order; r tries."
    if not count:
        many = plain(job.plan.why) + "." if job.plan else ""
    return Content.assemble(
        ("✗ ", "$text-error"),
        ("fails: ", ""),
        (str(start.cause), "bold"),
        f" ({start.seconds:.1f} s; l: its log)\n",
        many,
    )


def rows_of(plan: Remediation, *, unsafe: bool) -> Iterator[Planned]:
    """What would be tried first, then what would not, then what only a person can do."""
    tried = [step for step in plan.skipped if unsafe or step.safety != "unsafe"]
    for place, step in enumerate(tried, 1):
        yield Planned(str(place), plain(step.what), step.safety, step.fix)
    for step in plan.skipped:
        if step not in tried:
            yield Planned("", plain(step.what), step.safety, step.fix, "not tried: the safety switch is off")
    for attempt in plan.attempts:
        yield Planned("", plain(attempt.step.what), attempt.step.safety, attempt.step.fix, plain(attempt.why))
    for hand in plan.by_hand:
        yield Planned("", plain(hand.title), "manual", hand.fix, plain("; ".join(hand.commands)))


def about(row: Planned) -> str:
    """What a fix changes, when it is wrong, and its proof, as its article says."""
    from triage.service.explaining import as_data

    try:
        body = flowing(str(as_data(row.fix)["body"]))
    except TriageError as fault:
        body = str(fault)
    return f"{row.what}\n\n{body}\n\nEnter opens the article of {row.fix}."


def flowing(text: str) -> str:
    """Paragraphs without the line ends that they were written with; lists keep theirs."""
    return "\n\n".join(re.sub(r"\n\s*(?![-*\d])", " ", part) for part in text.split("\n\n"))
