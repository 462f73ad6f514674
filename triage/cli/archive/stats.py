"""Statistics: by cause, model, precision, tool, version, week; unknown rate; time to repair."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.statistics import Statistics, Table

EXAMPLE = """
triage archive stats
triage archive stats since:90d tool:tensorrt --by cause --by week
triage archive stats --plot statistics.svg
triage archive stats --format csv > statistics.csv
"""
WEEKS = 26


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive stats``."""
    from triage.cli._archive import add_format

    parser.add_argument("filter", nargs="*", metavar="FILTER", help="which incidents, as in triage archive list")
    parser.add_argument(
        "--by",
        action="append",
        metavar="NAME",
        help="cause, model, precision, tool, engine, version, week, stage …; repeatable",
    )
    parser.add_argument(
        "--top", type=_rows, default=10, metavar="N", help="rows of a table in text and plot; default 10"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the tables: FILE.svg or FILE.png")
    parser.add_argument("--force", action="store_true", help="let --plot replace an existing file")
    add_format(parser, "text", "json", "csv")


def _rows(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise ValueError(text)
    return number


_rows.__name__ = "number from 1 to 1000"  # argparse names the kind of a value by it


def run(arguments: Namespace) -> int:
    """Counts, prints, draws."""
    from triage.archive.filters import parse_arguments, written
    from triage.archive.statistics import DEFAULT
    from triage.cli._archive import opened, print_json
    from triage.cli._plot import check_target
    from triage.errors import UsageError
    from triage.service.listing import figures

    if arguments.plot:
        check_target(arguments.plot, force=arguments.force)
    chosen = parse_arguments(arguments.filter)
    with opened() as archive:
        found = figures(archive, chosen, arguments.by or DEFAULT, top=arguments.top)
    if arguments.plot:
        if not found.incidents:
            raise UsageError("there is nothing to draw: no incident fits.")
        _draw(arguments, found, written(chosen))
    if arguments.format == "json":
        print_json(_as_json(found, written(chosen)))
    elif arguments.format == "csv":
        _print_csv(found)
    else:
        _print_text(found, arguments.top)
    return 0


def _draw(arguments: Namespace, found: Statistics, chosen: str) -> None:
    from triage.archive.statistics import filled
    from triage.cli._plot import draw

    title = f"{found.incidents:,} incidents, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    title += f", {chosen}" if chosen else ""
    draw(arguments.plot, title, _shown(found.tables), filled(found.weeks, 2 * WEEKS), arguments.top)
    print(f"{arguments.plot} written", file=sys.stderr)


def _shown(tables: Iterable[Table]) -> list[Table]:
    """Tables whose values are fit for a screen or a picture: no control characters, no secrets."""
    from triage.ingest.text import plain

    return [
        table._replace(rows=tuple(row._replace(value=row.value and plain(row.value)) for row in table.rows))
        for table in tables
    ]


def _as_json(found: Statistics, chosen: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "filter": chosen,
        "incidents": found.incidents,
        "unknown": found.unknown,
        "unknown_rate": found.unknown / found.incidents if found.incidents else None,
        "groups": found.groups,
        "first": found.first and found.first.isoformat(),
        "last": found.last and found.last.isoformat(),
        "builds": {"failed": found.failed, "passed": found.passed},
        "repair": {
            "groups": found.repair.groups,
            "mean_seconds": found.repair.mean,
            "median_seconds": found.repair.median,
        },
        "weeks": [week._asdict() | {"unknown_rate": week.rate} for week in found.weeks],
        "by": {table.by: [row._asdict() for row in table.rows] for table in found.tables},
    }
    return data | {"top": [group._asdict() for group in found.top]}


def _print_csv(found: Statistics) -> None:
    import csv

    unknown = {week.week: week for week in found.weeks}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("by", "value", "incidents", "share", "unknown", "unknown_rate"))
    for table in found.tables:
        for row in table.rows:
            week = unknown.get(row.value or "") if table.by == "week" else None
            rest = (week.unknown, f"{week.rate:.6f}") if week else ("", "")
            writer.writerow((table.by, _harmless(row.value or ""), row.incidents, f"{row.share:.6f}", *rest))


def _harmless(value: str) -> str:
    """A value from a log that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _print_text(found: Statistics, top: int) -> None:
    from triage.bars import can_draw_blocks
    from triage.cli._output import width

    blocks = can_draw_blocks()
    for line in _text(found, top, width(), blocks=blocks):
        print(line)


def _text(found: Statistics, top: int, width: int, *, blocks: bool) -> Iterator[str]:
    yield from _overview(found)
    for table in _shown(found.tables):
        if table.rows:
            yield ""
            yield from (
                _weeks(found, width, blocks=blocks) if table.by == "week" else _table(table, top, width, blocks=blocks)
            )
    if found.top:
        yield ""
        yield from _groups(found, width, blocks=blocks)


def _overview(found: Statistics) -> Iterator[str]:
    from triage.bars import percent, span

    if not found.incidents or found.first is None or found.last is None:
        yield "No incidents." + (f" {found.passed:,} builds passed." if found.passed else "")
        return
    yield f"{found.incidents:,} incidents in {found.groups:,} groups, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    yield f"  unknown   {percent(found.unknown / found.incidents)} ({found.unknown:,})"
    passed = "" if found.passed is None else f", {found.passed:,} passed"
    yield f"  builds    {found.failed:,} failed{passed}"
    repair = found.repair
    took = f", from first seen to verified: median {span(repair.median)}, mean {span(repair.mean)}"
    yield f"  verified  {repair.groups:,} groups" + (took if repair.groups else "")


def _table(table: Table, top: int, width: int, *, blocks: bool) -> Iterator[str]:
    from triage import bars
    from triage.archive.statistics import TITLES, most_frequent

    rows, others = most_frequent(table, top)
    most = max(row.incidents for row in rows)
    lines = [
        bars.Line(row.value or "(not known)", (f"{row.incidents:,}", bars.percent(row.share)), row.incidents / most)
        for row in rows
    ]
    if others:  # without a bar: it would be taken for a value
        lines.append(bars.Line(f"({others.value})", (f"{others.incidents:,}", bars.percent(others.share)), 0))
    yield from bars.table(f"By {TITLES.get(table.by, table.by)}", lines, width, blocks=blocks)


def _weeks(found: Statistics, width: int, *, blocks: bool) -> Iterator[str]:
    from triage import bars
    from triage.archive.statistics import filled

    weeks = filled(found.weeks, WEEKS)
    most = max(week.incidents for week in weeks)
    lines = [
        bars.Line(week.week, (f"{week.incidents:,}", f"{bars.percent(week.rate)} unknown"), week.incidents / most)
        for week in weeks
    ]
    earlier = sum(week.week < weeks[0].week for week in found.weeks)
    more = f", the last {len(weeks)}" if earlier else ""
    yield from bars.table(f"By week{more}", lines, width, blocks=blocks)


def _groups(found: Statistics, width: int, *, blocks: bool) -> Iterator[str]:
    from triage import bars
    from triage.ingest.text import plain

    yield "Most frequent groups"
    for group in found.top:
        head = f"  {group.uid}  {group.incidents:>9,}  {group.state:<8}  "
        label = f"{group.cause}: {group.template}" if group.template else group.cause
        yield head + bars.fitted(plain(label), max(width - len(head), 10), blocks=blocks).rstrip()
