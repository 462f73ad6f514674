"""The archive's schema: which version it has, bringing it up to date, checking it.

Migrations are files ``NNNN_words.py`` in ``migrations/versions``; the number is the version.
An empty SQLite file is set up when first used. Any other difference is said, never repaired unasked.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, inspect, text

from triage.archive.session import VARIABLE, Archive
from triage.errors import SchemaFault
from triage.folders import data_folder

SEARCH_TABLES = "details_fts"  # SQLite's full-text tables, which no metadata knows
SEARCH_INDEX = "ix_details_words"
_LOCK = 7420981
FITS, OLDER, NEWER, EMPTY, FOREIGN, ABSENT = "fits", "older", "newer", "empty", "foreign", "absent"
_WORDS = {
    FITS: "it fits this triage",
    OLDER: "older than this triage; type: triage db upgrade",
    NEWER: "newer than this triage knows; update triage",
    EMPTY: "an empty database; to set it up, type: triage db upgrade",
    FOREIGN: f"its tables are not triage's; name another database in {VARIABLE}",
    ABSENT: "nothing is there yet; it is made when first used, or by: triage db upgrade",
}


class Standing(NamedTuple):
    """How the schema of a database stands to this program: one of FITS … ABSENT, its version and the newest one."""

    kind: str
    version: str | None
    head: str

    @property
    def words(self) -> str:
        """What it means and what to do."""
        return _WORDS[self.kind]


def revisions() -> list[str]:
    """All schema versions, oldest first."""
    folder = os.path.join(data_folder("migrations"), "versions")
    return sorted(name.partition("_")[0] for name in os.listdir(folder) if name[:4].isdigit() and name.endswith(".py"))


def current(connection: Connection) -> str | None:
    """The schema version of a database; None where it holds no archive."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def standing(archive: Archive) -> Standing:
    """Looks at the schema without changing or making anything."""
    head = revisions()[-1]
    if archive.path and not os.path.exists(archive.path):
        return Standing(ABSENT, None, head)
    with archive.read() as connection:
        version = current(connection)
        strangers = version is None and bool(inspect(connection).get_table_names())
    if strangers:
        return Standing(FOREIGN, None, head)
    if version is None:
        return Standing(EMPTY, None, head)
    if version == head:
        return Standing(FITS, version, head)
    return Standing(OLDER if version in revisions() else NEWER, version, head)


def require(archive: Archive) -> None:
    """Makes sure that the tables fit this program.

    Raises:
        SchemaFault: older (says how to upgrade), newer (says to update triage), or somebody else's tables.
    """
    found = standing(archive)
    if found.kind == FITS:
        return
    if found.kind in (ABSENT, EMPTY) and archive.is_sqlite:
        upgrade(archive)
        return
    version, head = found.version, found.head
    raise SchemaFault(
        {
            FOREIGN: f"{archive} holds tables that are not triage's. Name another database in {VARIABLE}.",
            EMPTY: f"{archive} is empty. To set it up, type: triage db upgrade",
            OLDER: f"{archive} has the older schema {version}. To bring it to {head}, type: triage db upgrade",
            NEWER: f"{archive} has schema {version}, newer than this triage knows ({head}). Update triage.",
        }[found.kind]
    )


def upgrade(archive: Archive, revision: str = "head") -> tuple[str | None, str | None]:
    """Brings the schema up to date in one transaction; gives the versions before and after."""
    from alembic import command

    with archive.write() as connection:
        if not archive.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        before = current(connection)
        if before is not None and before not in revisions():
            raise SchemaFault(f"{archive} has schema {before}, newer than this triage knows. Update triage.")
        command.upgrade(config(connection), revision)
        if before is None:
            _name(connection)
        return before, current(connection)


def _name(connection: Connection) -> None:
    """Gives a new archive its identity."""
    connection.execute(text("INSERT INTO meta (name, value) VALUES ('identity', :value)"), {"value": str(uuid4())})


def differences(archive: Archive) -> list[str]:
    """What differs between the tables of the program and of the database; empty when nothing does."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from triage.archive.tables import Base

    with archive.read() as connection:
        context = MigrationContext.configure(connection, opts=configure_options(connection))
        return [str(change) for change in compare_metadata(context, Base.metadata)]


def config(connection: Connection) -> Any:
    """Alembic's configuration for one connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", data_folder("migrations").replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def configure_options(connection: Connection) -> dict[str, Any]:
    """How migrations and comparisons look at a database."""
    from triage.archive.tables import Base

    return {
        "target_metadata": Base.metadata,
        "compare_type": True,
        "render_as_batch": connection.dialect.name == "sqlite",
        "include_object": _ours,
    }


def _ours(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
    """Full-text tables and their index are made by hand and not compared."""
    return not (reflected and name and (name.startswith(SEARCH_TABLES) or name == SEARCH_INDEX))
