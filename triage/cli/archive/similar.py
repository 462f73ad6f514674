"""Find what is near a failure: an incident of the archive, or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive similar i-4kq2m7x2ab3c
triage archive similar build.log
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive similar``."""
    from triage.cli._archive import add_format

    parser.add_argument("what", help="id of an incident or group, a log file, or - for a pipe")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="the most to show (default 5)")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Prints the nearest groups, each with the reason."""
    from triage.cli._archive import opened, print_json
    from triage.errors import UsageError
    from triage.service.neighbours import find_similar

    if not 1 <= arguments.limit <= 100:
        raise UsageError(f"--limit {arguments.limit}: name a number from 1 to 100.")
    with opened() as archive:
        found = find_similar(archive, arguments.what, arguments.limit)
    if arguments.format == "json":
        print_json([near._asdict() for near in found])
        return 0
    for near in found:
        print(
            f"{near.id}  {near.score:.2f}  {near.cause}, {near.state}" + (f", cured by {near.fix}" if near.fix else "")
        )
        print(f"    {near.why}")
    if not found:
        print("nothing in the archive is near.")
    return 0
