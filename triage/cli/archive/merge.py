"""Make one group of several that are the same failure; can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive merge g-7c2mzzq41xpa --into g-b33ympoek7no
triage archive undo
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive merge``."""
    from triage.cli._archive import add_format

    parser.add_argument("ids", nargs="+", metavar="ID", help="groups, or incidents of groups, to be merged")
    parser.add_argument("--into", required=True, metavar="ID", help="the group that stays")
    parser.add_argument("--force", action="store_true", help="merge even what was taken apart for good")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Merges the groups."""
    from triage.cli._archive import opened, print_decision
    from triage.service import curation

    with opened() as archive:
        done = curation.merge(archive, [*arguments.ids, arguments.into], force=arguments.force)
    print_decision(arguments, done, f"{', '.join(done['merged'])} merged; {done['count']:,} incidents now")
    return 0
