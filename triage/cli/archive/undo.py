"""Take back a decision: the last one of yours, or a line of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive undo
triage archive undo 42
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive undo``."""
    from triage.cli._archive import add_format

    parser.add_argument("line", nargs="?", type=int, help="number of a history line; triage archive show lists them")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Undoes it, or says why it cannot be undone."""
    from triage.cli._archive import opened, print_json
    from triage.service import curation

    with opened() as archive:
        done = curation.undo(archive, arguments.line)
    if arguments.format == "json":
        print_json(done)
    else:
        print(f"undone: line {done['undone']} ({done['kind']}); {done['group']} is {done['state']}, {done['cause']}")
    return 0
