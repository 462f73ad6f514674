"""Say what the cause really was; the next twin is named after it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive confirm i-4kq2m7x2ab3c --cause profile-missing
triage archive confirm i-4kq2 --cause plugin-missing --fix add_plugin_library --note "the .so was not in the image"
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive confirm``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="id of an incident or group, or its beginning")
    parser.add_argument("--cause", required=True, help="id of the cause; triage causes lists them")
    parser.add_argument("--fix", help="id of the fix that cured it; triage explain CAUSE lists them")
    parser.add_argument("--note", help="what you found, for the next one who meets it")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Records the verdict."""
    from triage.cli._archive import opened, print_decision
    from triage.service import curation

    with opened() as archive:
        done = curation.confirm(archive, arguments.id, arguments.cause, arguments.fix, arguments.note)
    print_decision(arguments, done, f"confirmed: {done['cause']}")
    return 0
