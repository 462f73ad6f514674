"""How Alembic reaches the archive: always over a connection that the program hands in."""

from __future__ import annotations

from alembic import context

from triage.archive.schema import configure_options

connection = context.config.attributes["connection"]
context.configure(connection=connection, **configure_options(connection))
context.run_migrations()
