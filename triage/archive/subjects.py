"""Finding what a person named, and everything the archive knows of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, distinct, func, select

from triage.archive.tables import Build, Confirmation, Detail, Environment, Group, History, Incident, Log
from triage.archive.vault import decompress
from triage.errors import UnknownName, UsageError

SHORTEST = 4
KINDS: Mapping[str, type[Incident | Group]] = {"i": Incident, "g": Group}


class Subject(NamedTuple):
    """What a person named: an incident and its group, or a group alone (``incident`` is None)."""

    group: int
    group_uid: str
    incident: int | None
    uid: str


def find(connection: Connection, name: str) -> Subject:
    """The incident or group of an id, or of a unique beginning of one.

    Raises:
        UsageError: it is no id, or several begin so.
        UnknownName: nothing has it.
    """
    kind, dash, rest = name.strip().lower().partition("-")
    if kind not in KINDS or not dash or not rest.isalnum():
        raise UsageError(f"{name!r} is no id. Ids look like i-4kq2m7x2ab3c (an incident) or g-7c2mzzq41xpa (a group).")
    if len(rest) < SHORTEST:
        raise UsageError(f"{name!r} is too short for an id: give at least {SHORTEST} letters after the dash.")
    table = KINDS[kind]
    begins = f"{kind}-{rest}"
    query = select(table.id, table.uid).order_by(table.uid).limit(4)
    rows = connection.execute(query.where(table.uid == begins)).all()
    rows = rows or connection.execute(query.where(table.uid.startswith(begins))).all()
    if not rows:
        raise UnknownName("incident" if kind == "i" else "group", name, ())
    if len(rows) > 1:
        raise UsageError(f"several ids begin with {name}: {', '.join(row.uid for row in rows)}. Give more letters.")
    return _subject(connection, kind, rows[0].id, rows[0].uid)


def _subject(connection: Connection, kind: str, number: int, uid: str) -> Subject:
    if kind == "g":
        return Subject(number, uid, None, uid)
    group = connection.execute(
        select(Group.id, Group.uid).join(Incident, Incident.group_id == Group.id).where(Incident.id == number)
    ).one()
    return Subject(group.id, group.uid, number, uid)


def newest_incident(connection: Connection, group: int) -> int | None:
    """The last incident of a group."""
    number: int | None = connection.execute(
        select(Incident.id).where(Incident.group_id == group).order_by(Incident.at.desc(), Incident.id.desc()).limit(1)
    ).scalar()
    return number


def group_row(connection: Connection, group: int) -> Row[Any]:
    """The group as it stands; ``times`` is its count, a name that rows leave free."""
    times = Group.count.label("times")
    return connection.execute(select(Group.__table__, times).where(Group.id == group)).one()


def incident_row(connection: Connection, incident: int) -> Row[Any]:
    """The incident as lists show it."""
    return connection.execute(select(Incident.__table__).where(Incident.id == incident)).one()


def build_row(connection: Connection, build: int) -> Row[Any]:
    """The run in which an incident happened."""
    return connection.execute(select(Build.__table__).where(Build.id == build)).one()


def body(connection: Connection, incident: int) -> dict[str, Any]:
    """The incident as its report had it."""
    packed = connection.execute(select(Detail.body).where(Detail.incident_id == incident)).scalar_one()
    found: dict[str, Any] = json.loads(decompress(packed))
    return found


def log_text(connection: Connection, digest: str) -> bytes:
    """A stored log, as it was masked and cut."""
    packed = connection.execute(select(Log.body).where(Log.digest == digest)).scalar_one()
    return decompress(packed)


def environment(connection: Connection, digest: str | None) -> dict[str, Any]:
    """A stored fingerprint; empty where none was taken."""
    found = connection.execute(select(Environment.data).where(Environment.digest == digest)).scalar()
    return dict(found or {})


def share_of_builds(connection: Connection, group: Row[Any]) -> tuple[int, int]:
    """K and N: of N builds since the group was first seen, of the same stage, K had this failure."""
    having = connection.execute(
        select(func.count(distinct(Incident.build_id))).where(Incident.group_id == group.id)
    ).scalar_one()
    since = select(func.count()).select_from(Build).where(Build.at >= group.first_seen)
    if group.stage:
        since = since.where((Build.stage == group.stage) | Build.stage.is_(None))
    return having, max(connection.execute(since).scalar_one(), having)


def timeline(connection: Connection, subject: Subject) -> list[Row[Any]]:
    """What happened to a group and its incidents, oldest first; for an incident only what concerns it."""
    wanted = (History.group_id == subject.group) & (
        History.incident_id.is_(None) | (History.incident_id == subject.incident)
        if subject.incident
        else History.id.is_not(None)
    )
    return list(connection.execute(select(History.__table__).where(wanted).order_by(History.id)))


def confirmations(connection: Connection, group: int) -> list[Row[Any]]:
    """What people said of a group's incidents, newest first."""
    return list(
        connection.execute(
            select(Confirmation.__table__)
            .where(Confirmation.group_id == group, Confirmation.withdrawn.is_(False))
            .order_by(Confirmation.id.desc())
        )
    )
