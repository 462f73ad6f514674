"""The last good build of the same kind, for what changed since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select

from triage.archive.tables import Build, Environment, Log
from triage.archive.vault import decompress


class Ran(NamedTuple):
    """A build as far as two builds are compared."""

    id: int
    key: str
    at: datetime
    outcome: str
    source: str
    model: str | None
    stage: str | None
    target: str | None
    repository: str | None
    parameters: Mapping[str, Any] | None
    environment: Mapping[str, Any]
    prints: bytes | None
    log_digest: str | None


_COLUMNS = (
    Build.id, Build.key, Build.at, Build.outcome, Build.source, Build.model, Build.stage, Build.target,
    Build.repository, Build.parameters, Environment.data, Build.prints, Build.log_digest,
)  # fmt: skip


def ran(connection: Connection, build: int) -> Ran:
    """One build."""
    query = select(*_COLUMNS).outerjoin(Environment, Environment.digest == Build.environment_digest)
    return _ran(connection.execute(query.where(Build.id == build)).one())


def last_good(connection: Connection, failed: Ran) -> Ran | None:
    """The newest good build before a failed one, of the same model, stage and target; None where there is none.

    Builds of another repository count only where one of the two names none.
    """
    query = (
        select(*_COLUMNS)
        .outerjoin(Environment, Environment.digest == Build.environment_digest)
        .where(Build.outcome == "passed", Build.prints.is_not(None), Build.at < failed.at)
        .where(_same(Build.model, failed.model), _same(Build.stage, failed.stage), _same(Build.target, failed.target))
        .order_by(Build.at.desc(), Build.id.desc())
        .limit(1)
    )
    if failed.repository:
        query = query.where(or_(Build.repository == failed.repository, Build.repository.is_(None)))
    found = connection.execute(query).one_or_none()
    return _ran(found) if found else None


def _same(column: Any, value: str | None) -> ColumnElement[bool]:
    same: ColumnElement[bool] = column.is_(None) if value is None else column == value
    return same


def _ran(row: Any) -> Ran:
    return Ran(*row)._replace(environment=row[10] or {})


def log_of(connection: Connection, build: Ran) -> bytes:
    """The stored log of a build; empty where none was kept."""
    body = connection.execute(select(Log.body).where(Log.digest == build.log_digest)).scalar()
    return decompress(body) if body else b""


def build_id(connection: Connection, key: str) -> int:
    """Number of a build that was filed."""
    return connection.execute(select(Build.id).where(Build.key == key)).scalar_one()
