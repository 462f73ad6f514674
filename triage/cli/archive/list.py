"""List incidents that fit a filter, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive list cause:profile-missing since:7d
triage archive list model:bert version:'>=10' -branch:main "optimization profile" --facets
triage archive list verdict:unknown --format jsonl --limit 1000
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive list``."""
    from triage.cli.archive._listing import add_listing

    add_listing(parser, ("at", "first", "cause", "model"))
    parser.add_argument("--facets", action="store_true", help="count causes, tools, models, branches …")


def run(arguments: Namespace) -> int:
    """One page."""
    from triage.cli.archive._incidents import show

    show(arguments, facets=arguments.facets, text=False)
    return 0
