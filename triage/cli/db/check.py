"""Is the archive sound? Checks the database and what must hold between its rows. Exit code 3 with findings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage db check
triage db check --full --format json
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage db check``."""
    from triage.cli._archive import add_format

    parser.add_argument("--full", action="store_true", help="unpack every stored log and incident, not only a sample")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Looks everything through; changes nothing."""
    from triage.archive.checking import check
    from triage.archive.session import Archive
    from triage.cli._archive import print_json

    def say(name: str) -> None:
        if sys.stderr.isatty():
            print(f"checking {name} …", file=sys.stderr)

    with Archive() as archive:
        found = check(archive, full=arguments.full, say=say)
        where = str(archive)
    if arguments.format == "json":
        findings = [finding._asdict() for finding in found.findings]
        print_json({"where": where, "sound": not findings, **found._asdict(), "findings": findings})
    else:
        for finding in found.findings:
            print(f"{finding.check}: {finding.text}")
        for name in found.left_out:
            print(f"not checked: {name}")
        checks = f"{len(found.checks)} checks ({', '.join(found.checks)})"
        print(
            f"{where}: {len(found.findings)} findings in {checks}" if found.findings else f"{where} is sound: {checks}"
        )
    return 3 if found.findings else 0
