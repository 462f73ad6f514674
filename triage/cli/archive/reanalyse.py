"""Run today's rules over stored logs and list the verdicts that moved."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.service.reanalysing import Moved

EXAMPLE = """
triage archive reanalyse --dry-run
triage archive reanalyse verdict:unknown since:30d
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive reanalyse``."""
    from triage.cli.archive._listing import add_filter

    add_filter(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would move and change nothing")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    from triage.cli._archive import add_format

    add_format(parser, "text", "json", "jsonl")


def run(arguments: Namespace) -> int:
    """Prints each move as it is found; a killed run goes on where it was."""
    from triage.archive.filters import parse_arguments, written
    from triage.cli._archive import chosen_incidents, opened
    from triage.service.reanalysing import reanalyse

    words = written(parse_arguments(arguments.filter))
    moved: list[Moved] = []
    done = 0
    with opened() as archive:
        where = chosen_incidents(archive, arguments.filter)
        states = reanalyse(archive, words, where, dry_run=arguments.dry_run, jobs=arguments.jobs)
        for number, state in enumerate(states):
            if state.resumed and not number:
                _say(arguments, "going on where the last run was stopped")
            done = state.done
            moved += state.moved
            _show(arguments, state.moved)
            if not arguments.quiet and sys.stderr.isatty():
                print(f"\r{done:,} of {state.total:,} logs", end="", file=sys.stderr, flush=True)
    _end(arguments, moved, done)
    return 0


def _show(arguments: Namespace, moved: tuple[Moved, ...]) -> None:
    import json

    for move in moved:
        if arguments.format == "jsonl":
            print(json.dumps(move._asdict(), ensure_ascii=False))
        elif arguments.format == "text":
            print(f"{move.id:<14}  {move.before or 'nothing'} → {move.after}  {move.rule}  {move.source}")


def _end(arguments: Namespace, moved: list[Moved], done: int) -> None:
    from triage.cli._archive import print_json

    if arguments.format == "json":
        print_json({"logs": done, "dry_run": arguments.dry_run, "moved": [move._asdict() for move in moved]})
    would = "would move" if arguments.dry_run else "moved"
    _say(arguments, f"{done:,} logs, {len(moved):,} verdicts {would}")


def _say(arguments: Namespace, words: str) -> None:
    if not arguments.quiet:
        print(f"\r\x1b[K{words}" if sys.stderr.isatty() else words, file=sys.stderr)
