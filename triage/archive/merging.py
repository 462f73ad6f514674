"""Merging groups that are one failure, taking them apart for good, and undoing what was done.

A merge leads the signatures of one group to another and moves their incidents. Which
signatures moved stands in the history, so that it can be taken back exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from triage.archive.decisions import take_back
from triage.archive.history import note, now
from triage.archive.session import actor
from triage.archive.subjects import Subject, group_row
from triage.archive.tables import Group, GroupSignature, History, Incident, Separation
from triage.errors import UsageError

UNDOABLE = ("confirm", "state", "owner", "merge", "unmerge")


def merge(connection: Connection, source: Subject, target: Subject, *, force: bool = False) -> int:
    """Makes one group of two; gives the number of the history line.

    Raises:
        UsageError: a group with itself, one that is merged away already, or two that were taken apart for good.
    """
    if source.group == target.group:
        raise UsageError(f"{source.group_uid} cannot be merged with itself.")
    for subject in (source, target):
        row = group_row(connection, subject.group)
        if row.merged_into is not None:
            raise UsageError(f"{row.uid} is merged into {group_row(connection, row.merged_into).uid} already.")
    if _separated(connection, source.group, target.group) and not force:
        raise UsageError(
            f"{source.group_uid} and {target.group_uid} were taken apart for good. To merge them all the same: --force"
        )
    moved = _signatures(connection, source.group)
    data = {"source": source.group_uid, "target": target.group_uid, "source_id": source.group,
            "target_id": target.group, "signatures": moved}  # fmt: skip
    _lead(connection, moved, target.group)
    connection.execute(update(Group).where(Group.id == source.group).values(merged_into=target.group))
    shift(connection, source.group, target.group)
    return note(connection, "merge", data, group_id=target.group)


def unmerge(connection: Connection, source: Subject) -> int:
    """Takes a merged group out again, for good: the two are never proposed as one again."""
    row = group_row(connection, source.group)
    if row.merged_into is None:
        raise UsageError(f"{row.uid} is merged into no other group.")
    line = _merge_line(connection, source.group)
    _part(connection, line.data)
    low, high = sorted((source.group, line.data["target_id"]))
    connection.execute(insert(Separation), {"low_id": low, "high_id": high, "at": now(), "actor": actor()})
    connection.execute(update(History).where(History.id == line.id).values(undone=True))
    return note(connection, "unmerge", {**line.data, "merge": line.id}, group_id=row.merged_into)


def undo(connection: Connection, number: int | None = None) -> Row[Any]:
    """Takes back one decision: the line named, or the last one of whoever asks. Gives the line.

    Raises:
        UsageError: nothing to undo, undone already, or changed since.
    """
    line = _line(connection, number)
    if line.undone:
        raise UsageError(f"history line {line.id} is undone already.")
    if line.kind not in UNDOABLE or line.actor == "triage":
        raise UsageError(f"history line {line.id} ({line.kind}) cannot be undone; {', '.join(UNDOABLE)} can.")
    if line.kind == "merge":
        _part(connection, line.data)
    elif line.kind == "unmerge":
        _join_again(connection, line.data)
    else:
        take_back(connection, line.group_id, line.data)
    connection.execute(update(History).where(History.id == line.id).values(undone=True))
    note(connection, "undo", {"line": line.id, "kind": line.kind}, group_id=line.group_id, incident_id=line.incident_id)
    return line


def _line(connection: Connection, number: int | None) -> Row[Any]:
    query = select(History.__table__)
    if number is not None:
        found = connection.execute(query.where(History.id == number)).one_or_none()
        if found is None:
            raise UsageError(
                f"the history has no line {number}. triage archive show ID lists the lines of an incident."
            )
        return found
    mine = query.where(History.actor == actor(), History.undone.is_(False), History.kind.in_(UNDOABLE))
    found = connection.execute(mine.order_by(History.id.desc()).limit(1)).one_or_none()
    if found is None:
        raise UsageError("there is nothing of yours to undo.")
    return found


def _merge_line(connection: Connection, source: int) -> Row[Any]:
    lines = connection.execute(
        select(History.__table__).where(History.kind == "merge", History.undone.is_(False)).order_by(History.id.desc())
    )
    for line in lines:
        if line.data["source_id"] == source:
            return line
    raise UsageError("the history holds no merge of this group; it cannot be taken apart.")


def _part(connection: Connection, data: Mapping[str, Any]) -> None:
    source = data["source_id"]
    came_from = _lead(connection, data["signatures"], source)
    connection.execute(update(Group).where(Group.id == source).values(merged_into=None))
    for group in came_from - {source}:
        shift(connection, group, source, _present(connection, source))


def _join_again(connection: Connection, data: Mapping[str, Any]) -> None:
    source, target = data["source_id"], data["target_id"]
    low, high = sorted((source, target))
    connection.execute(delete(Separation).where(Separation.low_id == low, Separation.high_id == high))
    _lead(connection, data["signatures"], target)
    connection.execute(update(Group).where(Group.id == source).values(merged_into=target))
    connection.execute(update(History).where(History.id == data["merge"]).values(undone=False))
    shift(connection, source, target)


def _signatures(connection: Connection, group: int) -> list[list[str]]:
    rows = connection.execute(
        select(GroupSignature.version, GroupSignature.hash).where(GroupSignature.group_id == group)
    )
    return [[row.version, row.hash] for row in rows]


def _lead(connection: Connection, signatures: Sequence[Sequence[str]], group: int) -> set[int]:
    """Leads signatures and their incidents to a group; gives the groups that they came from."""
    touched: set[int] = set()
    for version, digest in signatures:
        ours = and_(GroupSignature.version == version, GroupSignature.hash == digest)
        touched.update(connection.execute(select(GroupSignature.group_id).where(ours)).scalars())
        connection.execute(update(GroupSignature).where(ours).values(group_id=group))
        connection.execute(
            update(Incident)
            .where(Incident.signature_hash == digest, Incident.signature_version == version)
            .values(group_id=group)
        )
    return touched


def shift(connection: Connection, source: int, target: int, times: int | None = None) -> None:
    """Moves so many sightings (all where ``times`` is None) from one group to another; both keep their first and last.

    A group's count is how often it was ever seen, which may be more than the incidents that are still here.
    """
    ours = group_row(connection, source)
    moved = ours.times if times is None else min(times, ours.times)
    theirs = group_row(connection, target)
    values: dict[str, Any] = {"count": theirs.times + moved}
    if times is None:
        values |= {
            "first_seen": min(ours.first_seen, theirs.first_seen), "last_seen": max(ours.last_seen, theirs.last_seen)
        }  # fmt: skip
    connection.execute(update(Group).where(Group.id == target).values(**values))
    connection.execute(update(Group).where(Group.id == source).values(count=ours.times - moved))
    if times is not None:
        for group in (source, target):
            _date(connection, group)


def _present(connection: Connection, group: int) -> int:
    return connection.execute(
        select(func.count()).select_from(Incident).where(Incident.group_id == group)
    ).scalar_one()  # fmt: skip


def _date(connection: Connection, group: int) -> None:
    """First and last time of a group whose incidents are all still here; else what was known stays."""
    first, last, count = connection.execute(
        select(func.min(Incident.at), func.max(Incident.at), func.count()).where(Incident.group_id == group)
    ).one()
    if count and count >= group_row(connection, group).times:
        connection.execute(update(Group).where(Group.id == group).values(first_seen=first, last_seen=last))


def seen_once_more(connection: Connection, group: int, at: datetime) -> None:
    """Counts one sighting more."""
    row = group_row(connection, group)
    values = {"count": row.times + 1, "first_seen": min(row.first_seen, at), "last_seen": max(row.last_seen, at)}
    connection.execute(update(Group).where(Group.id == group).values(**values))


def recount(connection: Connection, groups: Iterable[int]) -> None:
    """Counts what is here, of groups whose incidents were taken out as if they had never been filed."""
    for group in sorted(set(groups)):
        connection.execute(update(Group).where(Group.id == group).values(count=_present(connection, group)))
        _date(connection, group)


def _separated(connection: Connection, one: int, other: int) -> bool:
    low, high = sorted((one, other))
    return connection.execute(
        select(Separation.at).where(Separation.low_id == low, Separation.high_id == high)
    ).first() is not None  # fmt: skip
