"""Give a failure to somebody, or to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive owner i-4kq2m7x2ab3c wei
triage archive owner i-4kq2m7x2ab3c --nobody
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive owner``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="id of an incident or group, or its beginning")
    parser.add_argument("owner", nargs="?", help="name of a person or team")
    parser.add_argument("--nobody", action="store_true", help="take the owner away")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Changes the owner of the whole group."""
    from triage.cli._archive import opened, print_decision
    from triage.errors import UsageError
    from triage.service import curation

    if bool(arguments.owner) == arguments.nobody:
        raise UsageError("name an owner, or say --nobody: triage archive owner ID NAME")
    with opened() as archive:
        done = curation.set_owner(archive, arguments.id, arguments.owner or None)
    print_decision(arguments, done, f"owner: {done['owner'] or 'nobody'}")
    return 0
