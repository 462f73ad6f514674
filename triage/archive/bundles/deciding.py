"""What people there decided about a group, joined with what was decided here.

Three ways are compared: what stands here, what comes in, and what came in the last time. Only what
is new there and untouched here is taken over; where both decided differently, what stands here stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from triage.archive.history import note
from triage.archive.tables import Group, History

TAKEN = "import"  # history of what an import brought to a group: true of this archive only
DECIDED = ("state", "verified_at", "owner", "confirmed_cause", "confirmed_fix", "note")
UNTOUCHED: Mapping[str, Any] = {**dict.fromkeys(DECIDED), "state": "new"}
_TOGETHER = (("confirmed_cause", "confirmed_fix"), ("state", "verified_at"), ("owner",), ("note",))


class Conflict(NamedTuple):
    """Where both sides said different things; what stands here was kept."""

    group: str
    about: str
    here: str
    there: str


class Incoming(NamedTuple):
    """Decisions that come in for a group of this archive. ``name`` is what the group is called there."""

    group: int
    name: str
    values: Mapping[str, Any]


class Visit(NamedTuple):
    """The import that is going on: what history says of it."""

    origin: str
    checksum: str


def decided(row: Mapping[str, Any]) -> dict[str, Any]:
    """The decisions in a group's row."""
    return {name: row[name] for name in DECIDED}


def join(connection: Connection, incoming: Iterable[Incoming], visit: Visit) -> tuple[int, list[Conflict]]:
    """Takes decisions over; gives in how many groups something changed, and what was kept as it stood."""
    items = list(incoming)
    numbers = sorted({item.group for item in items})
    rows = connection.execute(select(Group.__table__).where(Group.id.in_(numbers))).mappings()
    here = {row["id"]: dict(row) for row in rows}
    before = _last_time(connection, numbers)
    changed, conflicts = 0, []
    for item in items:
        mine = here[item.group]
        base = before.get((item.group, item.name), UNTOUCHED)
        changes, found = _joined(mine, item.values, base)
        conflicts += found
        if changes:
            connection.execute(update(Group).where(Group.id == item.group).values(**changes))
            changed += 1
        if dict(item.values) not in (dict(base), decided(mine)):
            remember(connection, item, visit, {name: mine[name] for name in changes}, changes)
        mine.update(changes)
    return changed, conflicts


def remember(
    connection: Connection, item: Incoming, visit: Visit, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Writes down what came in, for the next time, and what it changed."""
    data = {
        "group": item.name,
        "origin": visit.origin,
        "bundle": visit.checksum,
        "values": _plain(item.values),
        "before": _plain(before),
        "after": _plain(after),
    }
    note(connection, TAKEN, data, group_id=item.group)


def _joined(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], base: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Conflict]]:
    changes: dict[str, Any] = {}
    conflicts = []
    for names in _TOGETHER:
        here, there, last = ([values[name] for name in names] for values in (mine, theirs, base))
        if here == there:
            continue
        if there != last and here == last:
            changes.update(zip(names, there, strict=True))
        elif names[0] == "confirmed_cause" and there != last and here[0] == there[0] and here[1] is None:
            changes["confirmed_fix"] = there[1]
        else:
            conflicts += [
                Conflict(mine["uid"], name, one, other)
                for name, one, other in zip(names, here, there, strict=True)
                if name.startswith("confirmed_") and one and other and one != other
            ]
    return changes, conflicts


def _last_time(connection: Connection, groups: Iterable[int]) -> dict[tuple[int, str], dict[str, Any]]:
    """What came in for these groups the last time, by group and its name there."""
    query = select(History.group_id, History.data).where(History.kind == TAKEN, History.group_id.in_(groups))
    found = {}
    for group, data in connection.execute(query.order_by(History.id)):
        values = {**UNTOUCHED, **data["values"]}
        if values["verified_at"] is not None:
            values["verified_at"] = datetime.fromisoformat(values["verified_at"])
        found[group, data["group"]] = values
    return found


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
