"""Take a merged group out again, for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive unmerge g-7c2mzzq41xpa
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive unmerge``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="the group that was merged away, or its beginning")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Parts the groups and remembers that they are two."""
    from triage.cli._archive import opened, print_decision
    from triage.service import curation

    with opened() as archive:
        done = curation.unmerge(archive, arguments.id)
    print_decision(arguments, done, f"taken apart for good; {done['count']:,} incidents are its own")
    return 0
