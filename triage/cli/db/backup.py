"""Write the whole archive to one file while others go on filing; it is checked before it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage db backup archive-2026-11-21.db
triage db backup --force /mnt/backup/archive.db
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage db backup``."""
    from triage.cli._archive import add_format

    parser.add_argument("path", metavar="PATH", help="file to write; PostgreSQL: in pg_dump's custom format")
    parser.add_argument("--force", action="store_true", help="replace an existing file, once the new one is sound")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Makes the backup and says how to put it back."""
    from triage.archive.backups import backup
    from triage.archive.session import Archive
    from triage.cli._archive import print_json

    with Archive() as archive:
        made = backup(archive, arguments.path, force=arguments.force)
    if arguments.format == "json":
        print_json(made._asdict())
    else:
        print(f"{made.path} written and checked, {made.size / 1e6:,.1f} MB")
        print(f"to restore: {made.restore}")
    return 0
