"""Figures over the archive: how often, what, since when, how fast it was repaired.

Weeks are ISO weeks in UTC (Monday is the first day). Incidents whose log
did not tell a value are counted too, so that the shares of a table add up to one.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import nsmallest
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, select, type_coerce
from sqlalchemy.orm import aliased

from triage.archive.tables import Build, Group, Incident
from triage.errors import UnknownName

DEFAULT = ("cause", "model", "precision", "tool", "engine", "week")
# dimension -> its words, where they differ
TITLES = {"version": "tool version", "engine": "engine version", "ci": "CI system", "repo": "repository"}
_WEEK = 7 * 86_400 * 1_000_000
_MONDAY = 3 * 86_400 * 1_000_000  # 1970 began on a Thursday
_EPOCH = date(1969, 12, 29)
_AT_ONCE = 20_000
_WIDE = 100_000


class Share(NamedTuple):
    """A value, how many incidents have it, and their share (0 … 1). ``value`` is None where no log told one."""

    value: str | None
    incidents: int
    share: float


class Table(NamedTuple):
    """Incidents by one dimension, most frequent first; weeks and versions in their own order."""

    by: str
    rows: tuple[Share, ...]


class Week(NamedTuple):
    """Incidents of one ISO week (``2026-W47``), and how many of them nobody could name."""

    week: str
    incidents: int
    unknown: int

    @property
    def rate(self) -> float:
        """Share of unknown incidents, 0 … 1."""
        return self.unknown / self.incidents if self.incidents else 0.0


class Repair(NamedTuple):
    """Time from first seen to verified, in seconds, over the ``groups`` that have been verified."""

    groups: int
    mean: float | None
    median: float | None


class Frequent(NamedTuple):
    """A group and how many of the counted incidents are its own."""

    uid: str
    tool: str
    cause: str
    state: str
    template: str
    incidents: int


class Statistics(NamedTuple):
    """All figures. ``passed`` is None where a filter was given: filters speak of failures only."""

    incidents: int
    unknown: int
    groups: int
    first: datetime | None
    last: datetime | None
    failed: int
    passed: int | None
    repair: Repair
    weeks: tuple[Week, ...]
    tables: tuple[Table, ...]
    top: tuple[Frequent, ...]


class _Dimension(NamedTuple):
    """Which column to group by, how to call a value (None: as it is), and whether values have their own order."""

    column: str
    label: Callable[[Any], str] = str
    ordered: bool = False


def _week_label(number: int) -> str:
    year, week, _ = (_EPOCH + timedelta(weeks=number)).isocalendar()
    return f"{year:04d}-W{week:02d}"


def _version_label(key: int) -> str:
    """Major and minor of a version key (see words.version_key)."""
    return f"{key // 100_000**3}.{key // 100_000**2 % 100_000}"


_WORDS = ("cause", "model", "precision", "tool", "stage", "component", "verdict", "rule", "host", "ci", "branch")
DIMENSIONS: Mapping[str, _Dimension] = {  # named as the keys of a filter are
    **{name: _Dimension(name) for name in _WORDS},
    "repo": _Dimension("repository"),
    "version": _Dimension("tool_key", _version_label, ordered=True),
    "engine": _Dimension("engine_key", _version_label, ordered=True),
    "week": _Dimension("at", _week_label, ordered=True),
}


class _Counts(NamedTuple):
    """Raw counts, by whichever way they were got. ``weeks``: (week, is it unknown) -> incidents."""

    values: Mapping[str, Counter[Any]]
    weeks: Counter[tuple[int, bool]]
    groups: Counter[int]
    failed: int
    passed: int | None
    first: datetime | None
    last: datetime | None


def statistics_of(
    connection: Connection,
    by: Sequence[str] = DEFAULT,
    where: ColumnElement[bool] | None = None,
    *,
    top: int = 10,
) -> Statistics:
    """The figures of the incidents that a condition picks, all where there is none.

    Args:
        connection: an archive that is being read.
        by: names of DIMENSIONS, one table each.
        where: condition on Incident.
        top: how many of the most frequent groups to name.

    Raises:
        UnknownName: no such dimension.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise UnknownName("dimension", name, DIMENSIONS)
    names = [name for name in dict.fromkeys(by) if name != "week"]
    counts = _count_all(connection, names) if where is None else _count_picked(connection, names, where)
    if "cause" in counts.values:
        _correct(connection, counts.values["cause"], where)
    total = counts.groups.total()
    weeks = _weeks(counts.weeks)
    of_weeks = Table("week", tuple(Share(week.week, week.incidents, week.incidents / total) for week in weeks))
    tables = {name: _table(name, counts.values[name], total) for name in names} | {"week": of_weeks}
    return Statistics(
        incidents=total,
        unknown=sum(week.unknown for week in weeks),
        groups=len(counts.groups),
        first=counts.first,
        last=counts.last,
        failed=counts.failed,
        passed=counts.passed,
        repair=_repair(connection, None if where is None else counts.groups),
        weeks=weeks,
        tables=tuple(tables[name] for name in dict.fromkeys(by)),
        top=_frequent(connection, nsmallest(top, counts.groups.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _correct(connection: Connection, causes: Counter[Any], where: ColumnElement[bool] | None) -> None:
    """Counts what people confirmed instead of what was diagnosed; the unknown rate stays that of the diagnoses."""
    said = aliased(Group)
    query = (
        select(Incident.cause, said.confirmed_cause, func.count())
        .join(said, said.id == Incident.group_id)
        .where(said.confirmed_cause.is_not(None), said.confirmed_cause != Incident.cause)
        .group_by(Incident.cause, said.confirmed_cause)
    )
    for diagnosed, confirmed, count in connection.execute(query if where is None else query.where(where)):
        causes[confirmed] += count
        causes[diagnosed] -= count
        if not causes[diagnosed]:
            del causes[diagnosed]


def _week_of() -> ColumnElement[int]:
    return (type_coerce(Incident.at, BigInteger) + _MONDAY) // _WEEK


def _count_all(connection: Connection, names: Sequence[str]) -> _Counts:
    """Everything: the database counts along its indexes, which hold no row that has no value."""
    groups = _counter(connection, select(Incident.group_id, func.count()).group_by(Incident.group_id))
    values = {}
    for name in names:
        column = Incident.__table__.c[DIMENSIONS[name].column]
        found = _counter(connection, select(column, func.count()).where(column.is_not(None)).group_by(column))
        missing = groups.total() - found.total()
        values[name] = found + Counter({None: missing})
    unknown = case((Incident.verdict == "unknown", 1), else_=0)
    query = select(_week_of().label("week"), func.count(), func.sum(unknown)).group_by("week")
    weeks: Counter[tuple[int, bool]] = Counter()
    for week, count, without in connection.execute(query):
        weeks.update({(week, True): int(without), (week, False): count - int(without)})
    outcomes = _counter(connection, select(Build.outcome, func.count()).group_by(Build.outcome))
    first, last = connection.execute(select(func.min(Incident.at), func.max(Incident.at))).one()
    return _Counts(values, weeks, groups, outcomes["failed"], outcomes["passed"], first, last)


def _counter(connection: Connection, query: Any) -> Counter[Any]:
    return Counter({value: count for value, count in connection.execute(query)})  # noqa: C416 -- rows are no pairs


def _count_picked(connection: Connection, names: Sequence[str], where: ColumnElement[bool]) -> _Counts:
    """What a filter picks: it is asked once, and the rows are counted as they come."""
    columns = [Incident.__table__.c[DIMENSIONS[name].column] for name in names]
    at = type_coerce(Incident.at, BigInteger)
    query = select(Incident.group_id, Incident.build_id, at, _week_of(), Incident.verdict == "unknown", *columns)
    values: dict[str, Counter[Any]] = {name: Counter() for name in names}
    groups: Counter[int] = Counter()
    weeks: Counter[tuple[int, bool]] = Counter()
    builds: set[int] = set()
    times: list[int] = []
    if connection.dialect.name == "sqlite" and _is_wide(connection, where):
        where = func.likely(where)  # looking a large part up by an index takes longer than reading all
    for part in connection.execution_options(yield_per=_AT_ONCE).execute(query.where(where)).partitions():
        of_group, of_build, moments, of_week, unknown, *rest = zip(*part, strict=True)
        groups.update(of_group)
        builds.update(of_build)
        weeks.update(zip(of_week, map(bool, unknown), strict=True))
        times = [min((*times, *moments)), max((*times, *moments))]
        for name, found in zip(names, rest, strict=True):
            values[name].update(found)
    first, last = (datetime.fromtimestamp(time / 1_000_000, UTC) for time in times) if times else (None, None)
    return _Counts(values, weeks, groups, len(builds), None, first, last)


def _is_wide(connection: Connection, where: ColumnElement[bool]) -> bool:
    some = select(Incident.id).where(where).limit(_WIDE).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() == _WIDE


def _table(name: str, found: Mapping[Any, int], total: int) -> Table:
    dimension = DIMENSIONS[name]
    counts: Counter[str | None] = Counter()
    order: dict[str | None, Any] = {}
    for value, count in found.items():
        label = None if value is None else dimension.label(value)
        counts[label] += count
        order[label] = min(value, order.get(label, value)) if value is not None else value
    if dimension.ordered:
        labels = sorted(counts, key=lambda label: (label is None, order[label] or 0))
    else:
        labels = sorted(counts, key=lambda label: (-counts[label], label or ""))
    return Table(name, tuple(Share(label, counts[label], counts[label] / total) for label in labels))


def most_frequent(table: Table, top: int) -> tuple[list[Share], Share | None]:
    """The ``top`` most frequent rows in the table's order, and the sum of the others (``value``: how many they are)."""
    kept = set(sorted(table.rows, key=lambda row: -row.incidents)[:top])
    others = [row for row in table.rows if row not in kept]
    rest = Share(f"{len(others):,} others", sum(row.incidents for row in others), sum(row.share for row in others))
    return [row for row in table.rows if row in kept], rest if others else None


def _weeks(counts: Mapping[tuple[int, bool], int]) -> tuple[Week, ...]:
    """Weeks in which something was seen, oldest first."""
    numbers = sorted({week for week, _ in counts})
    pairs = ((number, counts.get((number, True), 0), counts.get((number, False), 0)) for number in numbers)
    return tuple(Week(_week_label(number), unknown + known, unknown) for number, unknown, known in pairs)


def filled(weeks: Sequence[Week], limit: int) -> list[Week]:
    """The last weeks without gaps: those in which nothing failed are there with zero."""
    if not weeks:
        return []
    known = {week.week: week for week in weeks}
    last = date.fromisocalendar(int(weeks[-1].week[:4]), int(weeks[-1].week[6:]), 1)
    found: list[Week] = []
    for back in range(limit):
        year, number, _ = (last - timedelta(weeks=back)).isocalendar()
        name = f"{year:04d}-W{number:02d}"
        found.append(known.get(name, Week(name, 0, 0)))
        if name == weeks[0].week:
            break
    return found[::-1]


def _repair(connection: Connection, groups: Mapping[int, int] | None) -> Repair:
    """Over the groups given, all where there are none."""
    query = select(Group.id, Group.first_seen, Group.verified_at).where(
        Group.verified_at.is_not(None), Group.merged_into.is_(None)
    )
    rows: Iterable[Any] = connection.execute(query)
    took = [
        max((verified - first).total_seconds(), 0.0) for group, first, verified in rows
        if groups is None or group in groups
    ]  # fmt: skip
    return Repair(len(took), statistics.fmean(took), statistics.median(took)) if took else Repair(0, None, None)


def _frequent(connection: Connection, most: Sequence[tuple[int, int]]) -> tuple[Frequent, ...]:
    cause = func.coalesce(Group.confirmed_cause, Group.cause)
    query = select(Group.id, Group.uid, Group.tool, cause, Group.state, Group.template)
    rows = {row[0]: row[1:] for row in connection.execute(query.where(Group.id.in_([number for number, _ in most])))}
    return tuple(Frequent(*rows[number], times) for number, times in most)
