"""What people decide about a failure: its cause, its state, its owner. Every decision can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from triage.archive.history import note, now
from triage.archive.session import actor
from triage.archive.states import STATES
from triage.archive.subjects import Subject, group_row, incident_row, newest_incident
from triage.archive.tables import Confirmation, Group
from triage.errors import UsageError


def confirm(connection: Connection, subject: Subject, cause: str, fix: str | None, words: str | None) -> int:
    """Records a person's verdict; its group is a neighbour for new failures at once.

    Gives the number of the history line. The caller has checked that cause and fix are known.
    """
    incident = subject.incident or newest_incident(connection, subject.group)
    if incident is None:
        raise UsageError(f"{subject.uid} has no incident that could be confirmed.")
    seen, before = incident_row(connection, incident), group_row(connection, subject.group)
    given = {
        "incident_id": incident,
        "group_id": subject.group,
        "at": now(),
        "actor": actor(),
        "cause": cause,
        "fix": fix,
        "note": words,
        "rule": seen.rule,
        "agreed": cause == seen.cause,
        "withdrawn": False,
    }
    number = connection.execute(insert(Confirmation).returning(Confirmation.id), given).scalar_one()
    after = {
        "confirmed_cause": cause,
        "confirmed_fix": fix or (before.confirmed_fix if before.confirmed_cause == cause else None),
        "note": words or before.note,
        "state": "known" if before.state == "new" else before.state,
    }
    return _decide(connection, subject, "confirm", before, after, confirmation=number, incident=incident)


def set_state(connection: Connection, subject: Subject, state: str) -> int:
    """Moves a failure on; refuses a step that makes no sense and says which do."""
    before = group_row(connection, subject.group)
    if state == before.state:
        raise UsageError(f"{subject.group_uid} is {state} already.")
    if state not in STATES[before.state]:
        raise UsageError(
            f"{subject.group_uid} is {before.state}; from there it can go to {', '.join(STATES[before.state])}."
        )
    after: dict[str, Any] = {"state": state}
    if state == "verified":
        after["verified_at"] = now()
    return _decide(connection, subject, "state", before, after)


def set_owner(connection: Connection, subject: Subject, owner: str | None) -> int:
    """Gives a failure to somebody, or to nobody."""
    return _decide(connection, subject, "owner", group_row(connection, subject.group), {"owner": owner})


def add_note(connection: Connection, subject: Subject, words: str) -> int:
    """A remark in the history; it changes nothing."""
    return note(connection, "note", {"text": words}, group_id=subject.group, incident_id=subject.incident)


def _decide(
    connection: Connection, subject: Subject, kind: str, before: Any, after: Mapping[str, Any], **more: Any
) -> int:
    connection.execute(update(Group).where(Group.id == subject.group).values(**after))
    data = {
        "before": {name: _plain(getattr(before, name)) for name in after},
        "after": {name: _plain(value) for name, value in after.items()},
        **more,
    }
    return note(connection, kind, data, group_id=subject.group, incident_id=subject.incident)


def take_back(connection: Connection, group: int, data: Mapping[str, Any]) -> None:
    """Puts a group's columns back as they were; refuses when somebody changed them since."""
    current = group_row(connection, group)
    changed = [name for name, value in data["after"].items() if _plain(getattr(current, name)) != value]
    if changed:
        raise UsageError(f"{current.uid}: {', '.join(changed)} changed since; undo the later change first.")
    values = dict(data["before"])
    if "verified_at" in values:
        values["verified_at"] = _moment(values["verified_at"])
    connection.execute(update(Group).where(Group.id == group).values(**values))
    if "confirmation" in data:
        connection.execute(update(Confirmation).where(Confirmation.id == data["confirmation"]).values(withdrawn=True))


def confirmed_texts(connection: Connection) -> list[tuple[str, str, str, str]]:
    """Of every confirmed failure: group id, text, cause, tool. What the classifier learns from."""
    rows = connection.execute(
        select(Group.uid, Group.text, Group.confirmed_cause, Group.tool).where(
            Group.confirmed_cause.is_not(None), Group.merged_into.is_(None)
        ).order_by(Group.uid)
    )  # fmt: skip
    return [(row[0], row[1], row[2] or "", row[3]) for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _moment(value: str | None) -> Any:
    from datetime import datetime

    return None if value is None else datetime.fromisoformat(value)
