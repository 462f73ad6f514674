"""Bring the archive's tables up to date, or make them. May be repeated; a backup before it is wise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage db backup before-upgrade.db && triage db upgrade
TRIAGE_DATABASE_URL=postgresql://triage@db/triage triage db upgrade
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage db upgrade``."""
    from triage.cli._archive import add_format

    add_format(parser)


def run(arguments: Namespace) -> int:
    """All in one transaction: it is done, or nothing has changed."""
    from triage.archive.session import Archive
    from triage.archive.upkeep import upgrade
    from triage.cli._archive import print_json

    with Archive() as archive:
        before, after = upgrade(archive)
        where = str(archive)
    if arguments.format == "json":
        print_json({"where": where, "before": before, "after": after, "changed": before != after})
    elif before == after:
        print(f"{where} has schema {after} already.")
    else:
        print(f"{where}: schema {before or 'none'} -> {after}")
    return 0
