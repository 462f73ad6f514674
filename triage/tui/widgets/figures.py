"""Statistics as blocks: the weeks as a chart, values as bars; a row leads to the incidents that it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import ClassVar, NamedTuple

from textual.content import Content
from textual.widgets import Static

from triage import bars
from triage.archive.completing import standing, toggled
from triage.archive.filters import TIMES, Filter, written
from triage.archive.statistics import TITLES, Share, Statistics, Table, Week, filled, most_frequent
from triage.ingest.text import plain
from triage.tui.columns import fitted
from triage.tui.widgets.answer import Row

MOST_WEEKS, HEIGHT, LOW, AXIS = 52, 6, 2, 8
LONGEST_LABEL, LONGEST_BAR, SHORTEST_BAR = 34, 40, 6
_LEVELS = " ▁▂▃▄▅▆▇█"


class Drawn(NamedTuple):
    """What is drawn: figures under a filter, how many rows a table has, how many cells a column."""

    found: Statistics
    chosen: Filter
    top: int
    room: int


class FigureRow(Row):
    """A row that leads to incidents, or to a group."""

    ACTS: ClassVar[dict[str, str]] = {**Row.ACTS, "filter": "list these incidents"}


def left(drawn: Drawn) -> Iterator[Static]:
    """How many, by week, and by the first dimension."""
    found = drawn.found
    if not found.incidents or found.first is None or found.last is None:
        yield Static("No incident fits." if drawn.chosen.terms else "No incident is filed yet.", classes="headline")
        return
    yield from _overview(found)
    weeks = [table for table in found.tables if table.by == "week"]
    if weeks:
        yield from _weeks(drawn)
    for table in _values(found)[:1]:
        yield from _table(drawn, table)


def right(drawn: Drawn) -> Iterator[Static]:
    """By the other dimensions, and the most frequent groups."""
    for table in _values(drawn.found)[1:]:
        yield from _table(drawn, table)
    if drawn.found.top:
        yield Static("Most frequent groups", classes="title")
    for group in drawn.found.top:
        words = f"{group.incidents:>7,}  {group.state:<8}  {plain(group.cause)}: {plain(group.template)}"
        yield FigureRow(Content(fitted(words, drawn.room)), "incident", group.uid)


def _values(found: Statistics) -> list[Table]:
    return [table for table in found.tables if table.by != "week" and table.rows]


def _overview(found: Statistics) -> Iterator[Static]:
    groups = (
        f"{found.incidents:,} incidents in {found.groups:,} groups, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    )
    yield Static(Content.styled(groups, "bold"), classes="headline")
    yield Static(f"unknown   {bars.percent(found.unknown / found.incidents)} ({found.unknown:,})")
    passed = "" if found.passed is None else f", {found.passed:,} passed"
    yield Static(f"builds    {found.failed:,} failed{passed}")
    repair = found.repair
    took = f", first seen to verified: median {bars.span(repair.median)}" if repair.groups else ""
    yield Static(f"verified  {repair.groups:,} groups{took}")


# -- weeks


def _weeks(drawn: Drawn) -> Iterator[Static]:
    room = max(drawn.room - AXIS - 1, 8)
    weeks = filled(drawn.found.weeks, min(MOST_WEEKS, room))
    step = max(1, min(room // len(weeks), 6))
    yield Static("Incidents a week", classes="title")
    yield from _chart([week.incidents for week in weeks], step, HEIGHT, "{:,.0f}")
    yield Static(_span(weeks, step), classes="dim")
    if any(week.unknown for week in weeks):
        yield Static("Unknown, share of a week", classes="title")
        yield from _chart([week.rate * 100 for week in weeks], step, LOW, "{:.0f} %")
    last = weeks[-1]
    words = f"Newest week {last.week}: {last.incidents:,} incidents, {bars.percent(last.rate)} unknown"
    yield FigureRow(Content(words), "filter", written(of_week(drawn.chosen, last.week)))


def _chart(values: Sequence[float], step: int, height: int, form: str) -> Iterator[Static]:
    """Columns of blocks, the highest as high as the chart; its figure stands on the axis."""
    for row, line in enumerate(chart(values, step, height)):
        label = form.format(max(values)) if row == 0 else "0" if row == height - 1 else ""
        yield Static(Content.assemble((f"{label:>{AXIS - 2}} ┤", "$text-muted"), (line, "$primary")), classes="chart")


def chart(values: Sequence[float], step: int, height: int) -> list[str]:
    """Lines of a column chart, the highest first; what is there at all is seen."""
    most = max([*values, 0]) or 1
    eighths = [max(round(value / most * height * 8), 1) if value > 0 else 0 for value in values]
    wide, gap = (step - 1, 1) if step > 2 else (step, 0)
    lines = []
    for row in reversed(range(height)):
        signs = (_LEVELS[max(0, min(8, one - row * 8))] for one in eighths)
        lines.append("".join(sign * wide + " " * gap for sign in signs))
    return lines


def _span(weeks: Sequence[Week], step: int) -> str:
    first, last = weeks[0].week, weeks[-1].week
    room = step * len(weeks)
    return " " * AXIS + (f"{first}{last:>{room - len(first)}}" if room >= 20 else f"{first} to {last}")


def of_week(chosen: Filter, week: str) -> Filter:
    """The filter, for one ISO week alone."""
    from triage.archive.filters import parse

    monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    rest = Filter(tuple(term for term in chosen.terms if term.key not in TIMES))
    return parse(f"{written(rest)} since:{monday} until:{monday + timedelta(days=6)}")


# -- values


def _table(drawn: Drawn, table: Table) -> Iterator[Static]:
    rows, others = most_frequent(table, drawn.top)
    yield Static(f"By {TITLES.get(table.by, table.by)}", classes="title")
    label = min(max(bars.cells(_name(row)) for row in rows), LONGEST_LABEL, max(drawn.room - 26, 10))
    most = max(row.incidents for row in rows)
    for row in rows:
        words = f"{fitted(_name(row), label)}  {row.incidents:>7,}  {bars.percent(row.share):>7}  "
        room = max(min(drawn.room - bars.cells(words), LONGEST_BAR), SHORTEST_BAR)
        line = Content.assemble(words, (bars.bar(row.incidents / most, room, blocks=True), "$primary"))
        yield FigureRow(line, "filter", written(_of_value(drawn.chosen, table.by, row.value)))
    if others:
        words = f"{fitted(f'({others.value})', label)}  {others.incidents:>7,}  {bars.percent(others.share):>7}"
        yield Static(Content(words), classes="dim")


def _name(row: Share) -> str:
    return plain(row.value) if row.value else "(not known)"


def _of_value(chosen: Filter, key: str, value: str | None) -> Filter:
    return chosen if standing(chosen, key, value) == "asked" else toggled(chosen, key, value)
