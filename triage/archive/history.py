"""The record of what happened to incidents and groups, and who did it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from triage.archive.session import actor
from triage.archive.tables import History


def now() -> datetime:
    """The present moment, with its zone."""
    return datetime.now(UTC)


def note(
    connection: Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    group_id: int | None = None,
    incident_id: int | None = None,
    at: datetime | None = None,
    who: str | None = None,
) -> int:
    """Writes one line of history; gives its number, which ``undo`` takes."""
    row = {
        "at": at or now(),
        "actor": who or actor(),
        "kind": kind,
        "group_id": group_id,
        "incident_id": incident_id,
        "data": dict(data),
        "undone": False,
    }
    number: int = connection.execute(insert(History).returning(History.id), row).scalar_one()
    return number


def in_words(data: Mapping[str, Any]) -> str:
    """What a line of history says: what was before and is now, a remark, which groups."""
    if "after" in data and isinstance(data["after"], dict):
        before, after = data["before"], data["after"]
        changed = (f"{name} {before.get(name) or '-'} → {after[name] or '-'}" for name in after
                   if before.get(name) != after[name] and name != "verified_at")  # fmt: skip
        return ", ".join(changed) or "no change"
    if "after" in data:
        return f"{data['before']} → {data['after']}" + (f", {data['why']}" if data.get("why") else "")
    if "text" in data:
        return str(data["text"])
    if "source" in data:
        return f"{data['source']} and {data['target']}"
    return ", ".join(f"{name} {value}" for name, value in data.items())
