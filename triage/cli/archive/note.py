"""Write a remark into the history of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive note i-4kq2m7x2ab3c "happens only on the machines with driver 535"
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive note``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="id of an incident or group, or its beginning")
    parser.add_argument("text", help="the remark")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Adds the remark."""
    from triage.cli._archive import opened, print_decision
    from triage.service import curation

    with opened() as archive:
        done = curation.add_note(archive, arguments.id, arguments.text)
    print_decision(arguments, done, "noted")
    return 0
