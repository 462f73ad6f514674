"""What became of a repair: verdict, proof and its numbers, changes, what is left to do by hand, where it lies."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from triage.ingest.text import plain
from triage.remedy import Proof, Remediation
from triage.tui.repairs import Job
from triage.tui.screens.diff import counted
from triage.tui.widgets.answer import Row
from triage.tui.widgets.signs import CHANGES, STATUSES, cell

LONGEST_NAME, MOST_NUMBERS = 32, 10
MOST_CHANGES, MOST_HANDS, MOST_SKIPPED = 30, 8, 8
COLUMNS = (
    ("equal", "equal"), ("name", "output"), ("count", "values"), ("max_abs", "largest difference"),
    ("max_rel", "relative"), ("atol", "allowed"), ("rtol", "+ of the value"),
)  # fmt: skip


class RepairResult(VerticalScroll):
    """The result as blocks; rows of use can be chosen."""

    DEFAULT_CSS = """
    RepairResult { height: 1fr; padding: 0 1; }
    RepairResult DataTable { margin: 0 0 0 2; }
    """

    async def show(self, job: Job) -> None:
        """Replaces everything."""
        blocks = list(self._blocks(job))
        await self.remove_children()
        await self.mount(*blocks)
        rows = self.query(Row)
        if rows and self.screen.focused in (None, self):
            self.focus()

    def compose(self) -> ComposeResult:
        """Nothing before a repair is over."""
        yield Static("No repair is over yet.", classes="dim")

    def _blocks(self, job: Job) -> Iterator[Widget]:
        done = job.done
        if done is None:
            yield Static("No repair is over yet.", classes="dim")
            return
        yield from _verdict(job, done)
        if done.proof and done.proof.numbers and not done.interrupted:
            yield Static("Proof in numbers", classes="title")
            yield _numbers(done.proof, self.app.theme_variables)
        yield from _changes(done)
        yield from _by_hand(done)
        yield from _next(job, done)


def _verdict(job: Job, done: Remediation) -> Iterator[Static]:
    sign, words, colour = STATUSES[_kind(done)]
    headline = f"{words}, {STATUSES[done.status][1]}" if done.interrupted and done.status == "moved-on" else words
    yield Static(Content.assemble((f"{sign} {headline}", f"bold $text-{colour}"), "  ", plain(_why(done))))
    if done.proof and done.status == "cured":
        if done.verified:
            yield Static(Content(plain(done.proof.how)))
        if done.proof.reference:
            yield Static(Content(f"compared with {plain(done.proof.reference)}"))
    ran = sum(attempt.result != "not-run" for attempt in done.attempts)
    where = f" · filed as {done.incident}" if done.incident else ""
    yield Static(Content(f"{done.cause or 'no cause'} · {ran} tried · {done.seconds:.0f} s{where}"), classes="dim")
    if job.remark:
        yield Static(Content(f"The archive: {plain(job.remark)}"))


def _kind(done: Remediation) -> str:
    if done.interrupted:
        return "interrupted"
    return "proven" if done.status == "cured" and done.verified else done.status


def _why(done: Remediation) -> str:
    if done.interrupted:
        count = len(done.attempts)
        return f"Your files are as they were. {count} attempt{'s were' if count != 1 else ' was'} made; 3 lists them."
    if done.status == "cured":
        helped = [attempt.step.what for attempt in done.attempts if attempt.number in done.path]
        proof = "" if done.verified else f" {done.proof.how}" if done.proof else ""
        return "; ".join(helped) + "." + proof
    return done.why


def _numbers(proof: Proof, colours: Mapping[str, str]) -> DataTable[Any]:
    table: DataTable[Any] = DataTable(cursor_type="row", zebra_stripes=True, show_cursor=False)
    shown = [(key, words) for key, words in COLUMNS if any(row.get(key) is not None for row in proof.numbers)]
    table.add_columns(*(words for _, words in shown))
    for row in proof.numbers:
        cells = []
        for key, _ in shown:
            text = number(key, row.get(key))
            cells.append(cell(text, colours.get("success" if row.get(key) else "error", "") if key == "equal" else ""))
        table.add_row(*cells)
    table.styles.height = min(len(proof.numbers), MOST_NUMBERS) + 2  # with the header and a scroll bar
    return table


def number(key: str, value: object) -> str:
    """A number of a proof in words."""
    if value is None:
        return ""
    if key == "equal":
        return "✓ yes" if value else "✗ no"
    if isinstance(value, float):
        return f"{value:.2g}"
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "…"


def _changes(done: Remediation) -> Iterator[Widget]:
    if not done.changes:
        return
    yield Static("Change (Enter shows it)", classes="title")
    for at, change in enumerate(done.changes[:MOST_CHANGES]):
        words = f"{CHANGES.get(change.kind, '~')} {plain(change.path)}  {change.kind}{counted(change)}"
        yield Row(Content(words), "open", f"change {at}")
    if len(done.changes) > MOST_CHANGES:
        yield Static(f"and {len(done.changes) - MOST_CHANGES} more: d goes through all of them", classes="dim")


def _by_hand(done: Remediation) -> Iterator[Widget]:
    if done.verified:
        return
    if done.by_hand:
        yield Static("By hand (Enter copies a command, or opens the article)", classes="title")
    for hand in done.by_hand[:MOST_HANDS]:
        yield Row(Content(f"✎ {plain(hand.title)} ({hand.fix})"), "fix", hand.fix)
        if hand.commands:
            yield Row(Content("\n".join(plain(line) for line in hand.commands)), "copy", "\n".join(hand.commands))
    if done.skipped:
        yield Static("Not tried", classes="title")
    for step in done.skipped[:MOST_SKIPPED]:
        yield Row(Content(f"! {plain(step.what)} ({step.fix}, {step.safety})"), "fix", step.fix)


def _next(job: Job, done: Remediation) -> Iterator[Widget]:
    yield Static("What now", classes="title")
    if job.applied:
        yield Static(Content(f"✓ Applied in {done.recipe.home or done.recipe.folder}. u takes it back."))
    elif done.status == "cured":
        yield Static(Content("a puts it into your folder, after a question; your files are untouched until then."))
    if any(change.kind == "command" for change in done.changes):
        yield Static("The command is another now (Enter copies it):")
        yield Row(Content(plain(shlex.join(done.command))), "copy", shlex.join(done.command))
    if done.output:
        text = "Left there: changes.diff, reproduce.sh, parameters.json, logs, reports (Enter copies the path)"
        yield Static(text, classes="dim")
        yield Row(Content(plain(done.output)), "copy", done.output)
