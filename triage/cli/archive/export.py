"""Write incidents, confirmations and rules to a bundle, for another archive.

A build travels with all its incidents, its log and what people decided. Secrets are masked once more.
Without a filter everything is exported.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.bundles.manifest import Manifest

EXAMPLE = """
triage archive export team.triage.zip
triage archive export bert.triage.zip model:bert* since:30d --no-logs
triage archive export - state:verified | ssh build7 triage archive import -
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive export``."""
    from triage.cli._archive import add_format

    parser.add_argument("file", metavar="FILE", help="name of the bundle, ending in .triage.zip; - for a pipe")
    parser.add_argument("filter", metavar="FILTER", nargs="*", help="which builds: those with an incident that fits")
    parser.add_argument("--no-logs", action="store_true", help="leave the logs behind")
    parser.add_argument("--no-history", action="store_true", help="leave behind who did what and when")
    parser.add_argument("--rules", metavar="FOLDER", help="take these rules along")
    parser.add_argument("--note", metavar="TEXT", default="", help="what the bundle is for, in its manifest")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Writes the bundle; says what went into it."""
    import platform

    from triage.archive.bundles import rules
    from triage.archive.bundles.exporting import Sender, Wanted
    from triage.archive.bundles.files import export_file
    from triage.archive.filters import parse_arguments
    from triage.archive.history import now
    from triage.archive.session import actor
    from triage.cli._archive import opened
    from triage.library import load_library

    chosen = parse_arguments(arguments.filter) if arguments.filter else None
    along = rules.gather(arguments.rules) if arguments.rules else {}
    wanted = Wanted(chosen, logs=not arguments.no_logs, history=not arguments.no_history, rules=along)
    sender = Sender(actor(), platform.node(), arguments.note, now(), load_library().edition)
    with opened() as archive:
        manifest = export_file(archive, arguments.file, wanted, sender, force=arguments.force)
    _say(arguments, manifest)
    return 0


def _say(arguments: Namespace, manifest: Manifest) -> None:
    """On standard error where the bundle itself goes to standard output."""
    import json

    stream = sys.stderr if arguments.file == "-" else sys.stdout
    if arguments.format == "json":
        print(json.dumps({"file": arguments.file, **manifest.as_dict()}, ensure_ascii=False, indent=1), file=stream)
        return
    there = ", ".join(f"{count:,} {name}" for name, count in manifest.counts.items() if count)
    print(f"{arguments.file}: {there or 'nothing fits the filter'}", file=stream)
    print(f"checksum {manifest.checksum}", file=stream)
