"""Move a failure along: new, known, fixing, verified, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive state i-4kq2m7x2ab3c fixing
triage archive state g-7c2mzzq41xpa verified
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive state``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="id of an incident or group, or its beginning")
    parser.add_argument("state", help="known, fixing, verified, closed; reopened comes by itself when it is seen again")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Changes the state of the whole group."""
    from triage.cli._archive import opened, print_decision
    from triage.service import curation

    with opened() as archive:
        done = curation.set_state(archive, arguments.id, arguments.state)
    print_decision(arguments, done, f"state: {done['state']}")
    return 0
