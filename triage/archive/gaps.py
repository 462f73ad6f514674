"""What nobody could name, and what a rule for it must be checked against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from triage.archive.tables import Build, Detail, Group, Incident, Log
from triage.archive.vault import decompress

AT_ONCE = 500


class Spoken(NamedTuple):
    """A group by its newest decisive line."""

    group: int
    uid: str
    tool: str
    stage: str | None
    template: str
    text: str
    cause: str
    verdict: str
    times: int
    last_seen: datetime
    confirmed: bool


def unnamed_groups(connection: Connection, condition: ColumnElement[bool] | None = None) -> list[int]:
    """Groups that neither a rule, a neighbour nor a person has named; with a condition on their incidents."""
    query = select(Group.id).where(
        Group.cause == "unknown", Group.confirmed_cause.is_(None), Group.merged_into.is_(None), Group.count > 0
    )
    if condition is not None:
        query = query.where(Group.id.in_(select(Incident.group_id).where(condition)))
    return list(connection.execute(query.order_by(Group.id)).scalars())


def spoken(connection: Connection, groups: Sequence[int]) -> Iterator[Spoken]:
    """Groups with the decisive line of their newest incident."""
    for start in range(0, len(groups), AT_ONCE):
        newest = (
            select(func.max(Incident.id).label("id"))
            .where(Incident.group_id.in_(groups[start : start + AT_ONCE]))
            .group_by(Incident.group_id)
            .subquery()
        )
        rows = connection.execute(
            select(
                Group.id, Group.uid, Group.tool, Group.stage, Group.template, Detail.body, Group.cause,
                Group.confirmed_cause, Group.verdict, Group.count.label("times"), Group.last_seen,
            )
            .join(Incident, Incident.group_id == Group.id)
            .join(newest, newest.c.id == Incident.id)
            .join(Detail, Detail.incident_id == Incident.id)
            .order_by(Group.id)
        )  # fmt: skip
        for row in rows:
            yield Spoken(
                row.id, row.uid, row.tool, row.stage, row.template, decisive_line(row.body),
                row.confirmed_cause or row.cause, row.verdict, row.times, row.last_seen,
                row.confirmed_cause is not None,
            )  # fmt: skip


def decisive_line(body: bytes) -> str:
    """The first line of evidence of a stored incident."""
    causes = json.loads(decompress(body))["causes"]
    return str(causes[0]["evidence"][0]["text"]) if causes and causes[0]["evidence"] else ""


def sources(connection: Connection, groups: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Where groups came from: models and repositories, for how widely they are spread."""
    found: dict[int, set[str]] = {}
    for start in range(0, len(groups), AT_ONCE):
        rows = connection.execute(
            select(Incident.group_id, Incident.model, Incident.repository)
            .where(Incident.group_id.in_(groups[start : start + AT_ONCE]))
            .distinct()
        )
        for group, model, repository in rows:
            found.setdefault(group, set()).update(filter(None, (model, repository)))
    return {group: tuple(sorted(names)) for group, names in found.items()}


def lines_of(connection: Connection, group: int, limit: int) -> list[tuple[str, str]]:
    """Id and decisive line of a group's newest incidents, one for each different line."""
    rows = connection.execute(
        select(Incident.uid, Detail.body)
        .join(Detail, Detail.incident_id == Incident.id)
        .where(Incident.group_id == group)
        .order_by(Incident.id.desc())
        .limit(limit * 10)
    )
    lines: dict[str, str] = {}
    for uid, body in rows:
        lines.setdefault(decisive_line(body), uid)
        if len(lines) == limit:
            break
    return [(uid, line) for line, uid in lines.items()]


def good_logs(connection: Connection) -> Iterator[tuple[str, bytes]]:
    """Source and content of every stored log of a successful build, one content once."""
    numbers = connection.execute(
        select(func.min(Build.id)).where(Build.outcome == "passed", Build.log_digest.is_not(None))
        .group_by(Build.log_digest)
    ).scalars().all()  # fmt: skip
    for number in numbers:
        source, body = connection.execute(
            select(Build.source, Log.body).join(Log, Log.digest == Build.log_digest).where(Build.id == number)
        ).one()
        yield source, decompress(body)


def other_groups(connection: Connection, but: Sequence[int]) -> list[int]:
    """All groups that stand for themselves, but for some."""
    chosen = set(but)
    numbers = connection.execute(select(Group.id).where(Group.merged_into.is_(None)).order_by(Group.id)).scalars()
    return [number for number in numbers if number not in chosen]
