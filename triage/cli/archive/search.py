"""Search incidents by their text; shows the line that fits, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive search "optimization profile" tool:tensorrt
triage archive search attention_mask 'dyn*' since:30d
triage archive search state:new --format json
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive search``."""
    from triage.cli.archive._listing import add_listing

    add_listing(parser, ("at", "first", "cause", "model"))


def run(arguments: Namespace) -> int:
    """One page with texts and counts."""
    from triage.cli.archive._incidents import show

    show(arguments, facets=True, text=True)
    return 0
