"""Filter -> a page of groups.

State, owner, confirmation, cause, tool, stage and verdict are asked of the group, times of when it was
seen; all other terms must hold together for one of its incidents. Groups that were merged away are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    distinct,
    func,
    literal,
    not_,
    or_,
    select,
    type_coerce,
)

from triage.archive import cursors
from triage.archive import held_values as held
from triage.archive.conditions import OF_GROUP, condition, of_group
from triage.archive.filter_values import span_of
from triage.archive.filters import TIMES, Filter, Term, written
from triage.archive.finding import Total
from triage.archive.history import now as present
from triage.archive.subjects import find
from triage.archive.tables import Group, Incident

COUNTED = 100_000
_SAME = ("cause", "tool", "stage", "verdict")
# order -> the column before the number, and whether its greatest come first
ORDERS: Mapping[str, tuple[Any, bool]] = {
    "at": (Group.last_seen, True),
    "first": (Group.first_seen, True),
    "count": (Group.count, True),
    "cause": (Group.cause, False),
}


class GroupHit(NamedTuple):
    """One group as lists show it. ``times`` counts incidents, ``builds`` the runs they come from."""

    number: int
    id: str
    state: str
    verdict: str
    cause: str
    confirmed: str | None
    fix: str | None
    owner: str | None
    tool: str
    stage: str | None
    times: int
    builds: int
    first_seen: datetime
    last_seen: datetime
    template: str


class FoundGroups(NamedTuple):
    """A page of groups, the cursor of the next one, and how many there are."""

    groups: tuple[GroupHit, ...]
    cursor: str | None
    total: Total
    applied: str
    order: str


_HIT = (
    Group.id, Group.uid, Group.state, Group.verdict, Group.cause, Group.confirmed_cause, Group.confirmed_fix,
    Group.owner, Group.tool, Group.stage, Group.count, literal(0), Group.first_seen, Group.last_seen, Group.template,
)  # fmt: skip


def look_at_groups(
    connection: Connection,
    chosen: Filter,
    *,
    order: str = "at",
    limit: int = 20,
    cursor: str | None = None,
    now: datetime | None = None,
) -> FoundGroups:
    """One page of the groups that fit; arguments and errors as ``finding.look``."""
    applied = written(chosen)
    after = cursors.decode(cursor, f"groups {order}", applied) if cursor else None
    moment = after.now if after else now or present()
    where = [Group.merged_into.is_(None), Group.count > 0, *_conditions(connection, chosen, moment)]
    column, greatest_first = ORDERS[order]
    page = select(*_HIT).where(*where)
    if after:
        page = page.where(_beyond(column, after, greatest_first=greatest_first))
    places = (column.desc(), Group.id.desc()) if greatest_first else (column, Group.id)
    rows = [GroupHit._make(row) for row in connection.execute(page.order_by(*places).limit(limit + 1))]
    hits = _with_builds(connection, rows[:limit])
    following = None
    if len(rows) > limit:
        last = cursors.Position(moment, (_key(order, hits[-1]), hits[-1].number))
        following = cursors.encode(last, f"groups {order}", applied)
    found = select(Group.id).where(*where).limit(COUNTED + 1).subquery()
    number = connection.execute(select(func.count()).select_from(found)).scalar_one()
    return FoundGroups(hits, following, Total(min(number, COUNTED), bounded=number > COUNTED), applied, order)


def _with_builds(connection: Connection, rows: list[GroupHit]) -> tuple[GroupHit, ...]:
    runs = select(Incident.group_id, func.count(distinct(Incident.build_id))).group_by(Incident.group_id)
    counted = {
        row[0]: row[1] for row in connection.execute(runs.where(Incident.group_id.in_([r.number for r in rows])))
    }
    return tuple(row._replace(builds=counted.get(row.number, 0)) for row in rows)


def _conditions(connection: Connection, chosen: Filter, now: datetime) -> list[ColumnElement[bool]]:
    own = [_own(connection, term, now) for term in chosen.terms if _is_own(term)]
    rest = tuple(term for term in chosen.terms if not _is_own(term))
    if rest:
        own.append(Group.id.in_(select(Incident.group_id).where(condition(connection, Filter(rest), now))))
    return own


def _is_own(term: Term) -> bool:
    return term.key in (*_SAME, *OF_GROUP, *TIMES, "group")


def _own(connection: Connection, term: Term, now: datetime) -> ColumnElement[bool]:
    if term.key in TIMES:
        found = or_(*(_seen(term.key, *span_of(value.text, now)) for value in term.values))
    elif term.key == "group":
        found = Group.id.in_([_number(connection, "*".join(value.parts)) for value in term.values])
    elif term.key in OF_GROUP:
        column = getattr(Group, OF_GROUP[term.key])
        found = of_group(connection, term, column, on=column)
    else:
        found = _same(connection, term)
    return not_(func.coalesce(found, literal(False))) if term.negated else found


def _seen(key: str, start: datetime, end: datetime) -> ColumnElement[bool]:
    if key == "since":
        return Group.last_seen >= start
    return Group.first_seen <= start if start == end else Group.first_seen < end


def _number(connection: Connection, name: str) -> int:
    number = find(connection, name).group
    return connection.execute(select(Group.merged_into).where(Group.id == number)).scalar() or number


def _same(connection: Connection, term: Term) -> ColumnElement[bool]:
    """A key that groups and incidents both have; what the archive holds of it is asked of the incidents."""
    own, theirs = getattr(Group, term.key), getattr(Incident, term.key)
    given = [value for value in term.values if value.op != "none"]
    empty = [own.is_(None)] if len(given) < len(term.values) else []
    if term.key in held.CATALOGUED:
        held.check(connection, term.key, theirs, given)
    return or_(*empty, *([held.meant(connection, term.key, theirs, given, on=own)] if given else []))


def _beyond(column: Any, after: cursors.Position, *, greatest_first: bool) -> ColumnElement[bool]:
    value, number = after.keys
    if column is Group.last_seen or column is Group.first_seen:
        column = type_coerce(column, BigInteger)  # the cursor has microseconds, as the table does
    if greatest_first:
        return and_(column <= value, or_(column < value, Group.id < number))
    return and_(column >= value, or_(column > value, Group.id > number))


def _key(order: str, hit: GroupHit) -> int | str:
    if order == "count":
        return hit.times
    if order == "cause":
        return hit.cause
    moment = hit.last_seen if order == "at" else hit.first_seen
    return round(moment.timestamp() * 1e6)
