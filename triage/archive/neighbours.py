"""What of the archive a new failure is compared with, and what is known of those that are near."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from triage.archive.tables import Group, Incident, Meta


class Neighbour(NamedTuple):
    """A group as a similar incident is shown."""

    group: int
    group_uid: str
    incident_uid: str
    cause: str
    confirmed: bool
    state: str
    fix: str | None
    note: str | None


def identity(connection: Connection) -> str:
    """What tells this archive from every other."""
    return str(connection.execute(select(Meta.value).where(Meta.name == "identity")).scalar_one())


def newest_group(connection: Connection) -> int:
    """The highest number of a group: how much there is to compare with."""
    return connection.execute(select(func.max(Group.id))).scalar() or 0


def texts_after(connection: Connection, number: int) -> Sequence[Any]:
    """Groups made after a number: id, tool, template; merged ones too, since they may come back."""
    return connection.execute(
        select(Group.id, Group.tool, Group.template).where(Group.id > number).order_by(Group.id)
    ).all()


def texts_between(connection: Connection, low: int, high: int) -> Iterator[Any]:
    """The same of the groups above ``low`` up to ``high``, read as they are asked for."""
    query = select(Group.id, Group.tool, Group.template).where(Group.id > low, Group.id <= high).order_by(Group.id)
    yield from connection.execution_options(yield_per=10_000).execute(query)


def texts_of(connection: Connection, groups: Collection[int]) -> Sequence[Any]:
    """The same of certain groups; those that are gone or merged away are left out."""
    return connection.execute(
        select(Group.id, Group.tool, Group.template).where(Group.id.in_(groups), Group.merged_into.is_(None))
    ).all()


def confirmed_texts(connection: Connection) -> Sequence[Any]:
    """Groups whose cause a person confirmed: id, tool, template."""
    return connection.execute(
        select(Group.id, Group.tool, Group.template).where(
            Group.confirmed_cause.is_not(None), Group.merged_into.is_(None)
        )
    ).all()


def neighbours(connection: Connection, groups: Collection[int]) -> dict[int, Neighbour]:
    """What is shown of groups that are near."""
    newest = (
        select(Incident.uid)
        .where(Incident.group_id == Group.id)
        .order_by(Incident.at.desc(), Incident.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            Group.id, Group.uid, newest.label("newest"), Group.cause, Group.confirmed_cause, Group.state,
            Group.confirmed_fix, Group.note,
        ).where(Group.id.in_(groups), Group.merged_into.is_(None))
    )  # fmt: skip
    return {
        row.id: Neighbour(
            row.id, row.uid, row.newest or row.uid, row.confirmed_cause or row.cause, row.confirmed_cause is not None,
            _state(row.state, row.confirmed_cause), row.confirmed_fix, row.note,
        )
        for row in rows
    }  # fmt: skip


def _state(state: str, confirmed: str | None) -> str:
    """A person's word counts more than that nobody looked since."""
    return "confirmed" if confirmed and state in ("new", "known", "reopened") else state
