"""The archive as a database: what stands there, how big it is, giving space back."""

from __future__ import annotations

import os
from typing import NamedTuple

from sqlalchemy import func, select, text

from triage.archive import schema
from triage.archive.schema import ABSENT, EMPTY, FITS, FOREIGN, NEWER, Standing, standing
from triage.archive.session import Archive
from triage.archive.tables import Build, Confirmation, Environment, Group, Incident, Log, Meta
from triage.errors import SchemaFault, UsageError

_COUNTED = {
    "incidents": Incident, "groups": Group, "builds": Build, "logs": Log,
    "environments": Environment, "confirmations": Confirmation,
}  # fmt: skip


class Overview(NamedTuple):
    """What ``triage db current`` says. Sizes are in bytes; ``free`` is room inside a SQLite file."""

    where: str
    database: str
    standing: Standing
    identity: str | None
    size: int | None
    free: int | None
    counts: dict[str, int]


def ours(archive: Archive) -> Standing:
    """As ``standing``, for commands that need an archive of any version.

    Raises:
        UsageError: nothing is there.
        SchemaFault: it is empty or somebody else's.
    """
    found = standing(archive)
    if found.kind == ABSENT:
        raise UsageError(f"{archive}: {found.words}")
    if found.kind in (EMPTY, FOREIGN):
        raise SchemaFault(f"{archive}: {found.words}")
    return found


def upgrade(archive: Archive) -> tuple[str | None, str | None]:
    """Brings the schema up to date; gives the versions before and after. May be repeated, and run at once.

    Raises:
        SchemaFault: newer than this program, or somebody else's tables.
    """
    found = standing(archive)
    if found.kind in (NEWER, FOREIGN):
        raise SchemaFault(f"{archive}: {found.words}")
    return schema.upgrade(archive)


def overview(archive: Archive) -> Overview:
    """What stands there. Counts are only of an archive whose schema fits."""
    found = standing(archive)
    where = Overview(str(archive), "sqlite" if archive.is_sqlite else "postgresql", found, None, None, None, {})
    if found.kind == ABSENT:
        return where
    where = where._replace(size=size(archive), free=free(archive))
    if found.kind != FITS:
        return where
    with archive.read() as connection:
        identity = connection.execute(select(Meta.value).where(Meta.name == "identity")).scalar()
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in _COUNTED.items()
        }
    return where._replace(identity=identity, counts=counts)


def size(archive: Archive) -> int:
    """Bytes on disk, with what SQLite has not yet taken over from its log."""
    if archive.path:
        return sum(os.path.getsize(path) for path in (archive.path, archive.path + "-wal") if os.path.exists(path))
    with archive.read() as connection:
        found: int = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return found


def free(archive: Archive) -> int | None:
    """Bytes inside a SQLite file that hold nothing; None for PostgreSQL, which looks after them itself."""
    if not archive.is_sqlite:
        return None
    with archive.read() as connection:
        pages = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        return int(pages * connection.execute(text("PRAGMA page_size")).scalar_one())


def give_back(archive: Archive) -> int:
    """Makes a SQLite file as small as its content; gives the bytes won. Needs as much free disk meanwhile.

    Raises:
        UsageError: PostgreSQL.
        ArchiveFault: another process is using the archive, or the disk is full; nothing is lost.
    """
    if not archive.is_sqlite:
        raise UsageError("PostgreSQL gives space back by itself (autovacuum); --vacuum is for SQLite.")
    before = size(archive)
    with archive.read() as connection:
        connection.exec_driver_sql("COMMIT")  # it cannot be done inside a transaction
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(before - size(archive), 0)
