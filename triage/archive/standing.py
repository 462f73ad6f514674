"""The builds of one job, and which of them had a failure: what the standing of a failure is told from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from triage.archive.filing import find_groups
from triage.archive.rows import LONGEST_WORD, signature_of
from triage.archive.tables import Build, Incident
from triage.records import Incident as Failure

MOST = 1_000  # builds that are looked at, the newest
_LOOK = 2_000  # builds without a job's name among which those of the same kind are sought


class Ran(NamedTuple):
    """One build of a job: what the index ``ix_builds_job`` holds, for the rows are large and lie far apart."""

    id: int
    at: datetime
    outcome: str
    branch: str | None
    commit: str | None


class Run(NamedTuple):
    """The run that a build was filed from, and the CI system that ran it."""

    url: str | None
    ci: str | None


class Kind(NamedTuple):
    """Which builds are builds of the same job: those of its name, or without one those of the same target or source.

    ``repositories`` are the forms in which the repository may have been filed; empty where none is known.
    """

    repositories: tuple[str, ...]
    job: str | None
    target: str | None = None
    source: str | None = None


class Own(NamedTuple):
    """The build that is asked about, as it was filed."""

    id: int
    at: datetime
    run_url: str | None
    repository: str | None
    branch: str | None
    commit: str | None
    job: str | None
    target: str | None


_OWN = (Build.id, Build.at, Build.run_url, Build.repository, Build.branch, Build.commit, Build.job, Build.target)
_RAN = (Build.id, Build.at, Build.outcome, Build.branch, Build.commit)


def own_build(connection: Connection, uids: Collection[str]) -> Own | None:
    """The build that has these incidents; None where they were not filed."""
    query = select(*_OWN).join(Incident, Incident.build_id == Build.id).where(Incident.uid.in_(list(uids))).limit(1)
    row = connection.execute(query).one_or_none() if uids else None
    return Own(*row) if row else None


def groups_of(connection: Connection, failures: Collection[Failure]) -> list[int | None]:
    """The group of each failure, None where the archive never saw it."""
    signatures = [signature_of(failure) for failure in failures]
    homes = find_groups(connection, signatures)
    return [homes[signature].id if signature in homes else None for signature in signatures]


def builds_of(connection: Connection, kind: Kind, since: datetime) -> list[Ran]:
    """The newest builds of a job since a time, newest first."""
    rows = connection.execute(_newest(kind, since, *_RAN))
    return [Ran(*row) for row in rows]


def having(connection: Connection, kind: Kind, since: datetime, groups: Collection[int]) -> dict[int, set[int]]:
    """Of those same builds, by group: the ids of the ones that had it."""
    found: dict[int, set[int]] = {group: set() for group in groups}
    builds = _newest(kind, since, Build.id).subquery()
    for group, ids in found.items():
        query = select(Incident.build_id).where(Incident.group_id == group, Incident.at >= since)
        ids.update(connection.execute(query.where(Incident.build_id.in_(select(builds.c.id)))).scalars())
    return found


def runs_of(connection: Connection, builds: Collection[int]) -> dict[int, Run]:
    """Where these builds were filed from."""
    query = select(Build.id, Build.run_url, Build.ci).where(Build.id.in_(sorted(builds)))
    return {row[0]: Run(row[1], row[2]) for row in connection.execute(query)}


def _newest(kind: Kind, since: datetime, *columns: Any) -> Select[Any]:
    job: ColumnElement[bool] = Build.job.is_(None) if kind.job is None else Build.job == kind.job[:LONGEST_WORD]
    known = [name[:LONGEST_WORD] for name in kind.repositories]
    where = and_(job, Build.repository.in_(known) if known else Build.repository.is_(None), Build.at >= since)
    newest = Build.at.desc(), Build.id.desc()
    if kind.job is not None:
        return select(*columns).where(where).order_by(*newest).limit(MOST)
    few = select(Build.id, Build.target, Build.source).where(where).order_by(*newest).limit(_LOOK).subquery()
    same = few.c.target == kind.target if kind.target else and_(few.c.target.is_(None), few.c.source == kind.source)
    alike = select(few.c.id).where(same)
    return select(*columns).where(Build.id.in_(alike)).order_by(*newest).limit(MOST)
