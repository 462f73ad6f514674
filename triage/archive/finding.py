"""Filter -> a page of incidents, how many there are, and their facets.

Pages run newest first by time and number, so that nothing is repeated or left out while new
incidents arrive. Counting stops at a bound, and says so; pages have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, func, or_, select, type_coerce

from triage.archive import cursors
from triage.archive.conditions import FEW, condition, conditions
from triage.archive.facets import TOP, Facet, count
from triage.archive.filters import Filter, written
from triage.archive.history import now as present
from triage.archive.reach import far_back, reach
from triage.archive.tables import Build, Group, Incident

__all__ = ["LONGEST_PAGE", "ORDERS", "Found", "Hit", "Total", "condition", "look"]

LONGEST_PAGE = 1000
# order -> the column before time and number, and whether the newest comes first
ORDERS: Mapping[str, tuple[Any, bool]] = {
    "at": (None, True),
    "first": (None, False),
    "cause": (Incident.cause, True),
    "model": (func.coalesce(Incident.model, ""), True),
}


class Hit(NamedTuple):
    """One incident as lists show it; ``id`` is what people type, ``number`` its row."""

    number: int
    id: str
    at: datetime
    group: str
    state: str
    owner: str | None
    confirmed: str | None
    verdict: str
    cause: str
    rule: str
    tool: str
    tool_version: str | None
    engine_version: str | None
    stage: str | None
    component: str | None
    model: str | None
    precision: str | None
    line: int
    host: str | None
    ci: str | None
    repository: str | None
    branch: str | None
    commit: str | None
    source: str
    run_url: str | None
    signature: str
    signature_version: str
    rules_version: str


class Total(NamedTuple):
    """How many match. ``since``: only those from then on were counted; ``bounded``: there are more."""

    number: int
    since: datetime | None = None
    bounded: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.bounded else ''}"


class Found(NamedTuple):
    """A page, the cursor of the next one, and figures of the whole filter."""

    hits: tuple[Hit, ...]
    cursor: str | None
    total: Total
    facets: tuple[Facet, ...]
    applied: str
    order: str


_HIT = select(
    Incident.id, Incident.uid, Incident.at, Group.uid, Group.state, Group.owner, Group.confirmed_cause,
    Incident.verdict, Incident.cause, Incident.rule, Incident.tool, Incident.tool_version, Incident.engine_version,
    Incident.stage, Incident.component, Incident.model, Incident.precision, Incident.line, Incident.host, Incident.ci,
    Incident.repository, Incident.branch, Incident.commit, Build.source, Build.run_url, Incident.signature_hash,
    Incident.signature_version, Incident.rules_version,
).join(Group, Group.id == Incident.group_id).join(Build, Build.id == Incident.build_id)  # fmt: skip


def look(
    connection: Connection,
    chosen: Filter,
    *,
    order: str = "at",
    limit: int = 20,
    cursor: str | None = None,
    facets: bool = False,
    top: int = TOP,
    now: datetime | None = None,
) -> Found:
    """One page of the incidents that fit.

    Args:
        connection: of the archive.
        chosen: the filter.
        order: one of ORDERS.
        limit: rows of a page, 1 to LONGEST_PAGE.
        cursor: of the page before; None for the first page.
        facets: whether to count causes, tools and so on.
        top: how many values of a facet are kept.
        now: what ``since:7d`` counts from; a cursor brings its own.

    Raises:
        UnknownName: a cause, tool, stage, group or incident that nobody knows.
        UsageError: the cursor belongs to another list; an id is ambiguous.
    """
    applied = written(chosen)
    after = cursors.decode(cursor, order, applied) if cursor else None
    moment = after.now if after else now or present()
    made = conditions(connection, chosen, moment)
    plan = reach(connection, made)
    before = _place(after) if after and order == "at" else None
    counted = count(connection, plan, facets=facets, limit=limit + 1, before=before, top=top)
    numbers: Sequence[int] = counted.newest
    if order != "at" or (plan.since and len(numbers) <= limit):
        apart = far_back(connection, made, counted.total / FEW, limit + 1) if plan.since else None
        numbers = _numbers(connection, apart or plan.where, order, after, limit + 1, sort=apart is not None)
    hits = hits_of(connection, numbers[:limit])
    following = None
    if len(numbers) > limit:
        following = cursors.encode(cursors.Position(moment, _keys(order, hits[-1])), order, applied)
    return Found(
        hits, following, Total(counted.total, plan.since, plan.since is not None), counted.facets, applied, order
    )


def hits_of(connection: Connection, numbers: Sequence[int]) -> tuple[Hit, ...]:
    """The incidents of these row numbers, in this order."""
    found = {row[0]: Hit._make(row) for row in connection.execute(_HIT.where(Incident.id.in_(numbers)))}
    return tuple(found[number] for number in numbers if number in found)


def _numbers(
    connection: Connection,
    where: Sequence[ColumnElement[bool]],
    order: str,
    after: cursors.Position | None,
    limit: int,
    *,
    sort: bool,
) -> list[int]:
    """Row numbers of a page, however far back they are; ``sort`` keeps the database from reading in order."""
    column, newest_first = ORDERS[order]
    at = type_coerce(Incident.at, BigInteger) + 0 if sort else Incident.at
    place = (at.desc(), Incident.id.desc()) if newest_first else (at, Incident.id)
    query = select(Incident.id).where(*where)
    if column is not None:
        query = query.order_by(column)
    if after:
        query = query.where(_beyond(column, after, newest_first=newest_first))
    return list(connection.execute(query.order_by(*place).limit(limit)).scalars())


def _beyond(column: Any, after: cursors.Position, *, newest_first: bool) -> ColumnElement[bool]:
    micros, number = _place(after)
    at = datetime.fromtimestamp(micros / 1e6, UTC)
    if newest_first:
        later = and_(Incident.at <= at, or_(Incident.at < at, Incident.id < number))
    else:
        later = and_(Incident.at >= at, or_(Incident.at > at, Incident.id > number))
    return later if column is None else or_(column > after.keys[0], and_(column == after.keys[0], later))


def _place(after: cursors.Position) -> tuple[int, int]:
    """Microseconds and number of the last row shown."""
    micros, number = after.keys[-2:]
    return int(micros or 0), int(number or 0)


def _keys(order: str, hit: Hit) -> tuple[int | str | None, ...]:
    first: tuple[str, ...] = {"cause": (hit.cause,), "model": (hit.model or "",)}.get(order, ())
    return (*first, round(hit.at.timestamp() * 1e6), hit.number)
