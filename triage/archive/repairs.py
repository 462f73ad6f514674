"""Repairs in the archive: filing what was tried, and asking what cured the same failure before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, desc, func, insert, select

from triage.archive.session import actor
from triage.archive.tables import Attempt, Incident, Repair

_MOST = 20


class NewRepair(NamedTuple):
    """A repair to file: its own columns, and a row for each attempt."""

    at: datetime
    incident: str | None
    columns: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]]


class Held(NamedTuple):
    """A repair as lists show it. ``fixes`` are those that led to where it ended."""

    uid: str
    at: datetime
    status: str
    verified: bool | None
    cause: str | None
    fixes: tuple[str, ...]
    tried: int
    why: str
    output: str | None


class Tried(NamedTuple):
    """One attempt of a repair, as pages show it."""

    fix: str
    what: str
    safety: str
    result: str
    helped: bool
    why: str


def file_repair(connection: Connection, new: NewRepair) -> str:
    """Files a repair inside the caller's transaction; gives its id."""
    uid = f"r-{uuid4().hex[:12]}"
    number = None
    if new.incident:
        number = connection.execute(select(Incident.id).where(Incident.uid == new.incident)).scalar()
    row = {**new.columns, "uid": uid, "at": new.at, "actor": actor(), "incident_id": number}
    made = connection.execute(insert(Repair).values(**row).returning(Repair.id)).scalar_one()
    if new.attempts:
        connection.execute(insert(Attempt), [{**attempt, "repair_id": made} for attempt in new.attempts])
    return uid


def what_worked(connection: Connection, signature: str | None) -> list[str]:
    """Fixes that helped to cure this very failure in a proven repair, the most frequent first."""
    if signature is None:
        return []
    times = func.count().label("times")
    query = (
        select(Attempt.fix, times)
        .join(Repair, Repair.id == Attempt.repair_id)
        .where(Attempt.signature_before == signature, Attempt.helped, Repair.verified.is_(True))
        .group_by(Attempt.fix)
        .order_by(desc(times), Attempt.fix)
        .limit(_MOST)
    )
    return [row.fix for row in connection.execute(query)]


def repairs_of(connection: Connection, group: int) -> list[Held]:
    """The newest repairs of a group's incidents, newest first."""
    query = (
        select(Repair)
        .join(Incident, Incident.id == Repair.incident_id)
        .where(Incident.group_id == group)
        .order_by(Repair.at.desc(), Repair.id.desc())
        .limit(_MOST)
    )
    rows = connection.execute(query.with_only_columns(*Repair.__table__.c)).all()
    return [_held(connection, row) for row in rows]


def attempts_of(connection: Connection, uid: str) -> list[Tried]:
    """What a repair tried, in order."""
    query = select(Attempt.fix, Attempt.what, Attempt.safety, Attempt.result, Attempt.helped, Attempt.why).join(
        Repair, Repair.id == Attempt.repair_id
    )
    return [Tried(*row) for row in connection.execute(query.where(Repair.uid == uid).order_by(Attempt.number))]


def _held(connection: Connection, row: Any) -> Held:
    tried = connection.execute(
        select(Attempt.fix, Attempt.helped).where(Attempt.repair_id == row.id).order_by(Attempt.number)
    ).all()
    helped = tuple(attempt.fix for attempt in tried if attempt.helped)
    return Held(row.uid, row.at, row.status, row.verified, row.cause, helped, len(tried), row.why, row.output)
