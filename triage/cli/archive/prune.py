"""Delete what is old and solved: incidents, builds, raw logs. What people confirmed stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.pruning import Choice, Doomed, Pruned
    from triage.archive.session import Archive

EXAMPLE = """
triage archive prune --older-than 180d --dry-run
triage archive prune --older-than 180d --yes
triage archive prune --older-than 30d --logs-only branch:feature* --yes
triage archive prune --older-than 1000d --unsolved --yes --vacuum
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive prune``."""
    from triage.cli._archive import add_format

    parser.add_argument("filter", nargs="*", metavar="FILTER", help="only these incidents and their builds")
    parser.add_argument("--older-than", metavar="AGE", help="180d, 26w, or a day: 2026-06-01")
    parser.add_argument("--unsolved", action="store_true", help="also incidents of groups that nobody solved")
    parser.add_argument("--logs-only", action="store_true", help="delete raw logs only; incidents stay")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and stop")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    parser.add_argument("--vacuum", action="store_true", help="give the space back to the disk (SQLite)")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Says what would go, asks, deletes."""
    from triage.archive.pruning import doomed
    from triage.cli._archive import opened
    from triage.errors import UsageError

    choice = _choice(arguments)
    with opened() as archive:
        if arguments.vacuum and not archive.is_sqlite:
            raise UsageError("PostgreSQL gives space back by itself (autovacuum); --vacuum is for SQLite.")
        with archive.read() as connection:
            rows = doomed(connection, choice)
        print(_announcement(choice, rows), file=sys.stderr)
        if arguments.dry_run:
            _finish(arguments, archive, choice, rows, None)
            return 0
        if not (arguments.yes or _agreed()):
            raise UsageError("nothing was deleted. To delete it, add --yes; to see it only, --dry-run.")
        _finish(arguments, archive, choice, rows, _delete(archive, choice, rows))
    return 0


def _choice(arguments: Namespace) -> Choice:
    from triage.archive.filter_values import span_of
    from triage.archive.filters import parse_arguments
    from triage.archive.history import now
    from triage.archive.pruning import Choice
    from triage.errors import UsageError

    if not arguments.older_than:
        raise UsageError("say how old: triage archive prune --older-than 180d")
    before = span_of(arguments.older_than).start
    if before > now():
        raise UsageError(f"--older-than {arguments.older_than} lies in the future.")
    return Choice(before, parse_arguments(arguments.filter), arguments.unsolved, arguments.logs_only)


def _announcement(choice: Choice, rows: Doomed) -> str:
    what = "the raw logs of " if choice.logs_only else ""
    builds = f" and {len(rows.builds):,} builds without incidents" if rows.builds else ""
    text = f"older than {choice.before:%Y-%m-%d %H:%M} UTC: {what}{len(rows.incidents):,} incidents{builds} would go"
    if not rows.kept:
        return text
    why = "confirmed" if choice.unsolved else "confirmed or not solved yet"
    return f"{text}; {rows.kept:,} incidents stay ({why})"


def _agreed() -> bool:
    """Asks; where nobody can answer, the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("Delete them? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete(archive: Archive, choice: Choice, rows: Doomed) -> Pruned:
    from triage.archive.pruning import Pruned, prune

    done = Pruned()
    for done in prune(archive, choice, rows):
        if sys.stderr.isatty():
            print(f"\r{done.incidents:,} of {len(rows.incidents):,}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return done


def _finish(arguments: Namespace, archive: Archive, choice: Choice, rows: Doomed, done: Pruned | None) -> None:
    from triage.archive import upkeep
    from triage.archive.filters import written
    from triage.cli._archive import print_json

    won = upkeep.give_back(archive) if arguments.vacuum and done is not None else None
    free = upkeep.free(archive)
    if arguments.format == "json":
        data: dict[str, Any] = {
            "before": choice.before.isoformat(),
            "filter": written(choice.filter),
            "logs_only": choice.logs_only,
            "would": {"incidents": len(rows.incidents), "builds_without_incidents": len(rows.builds)},
            "kept": rows.kept,
            "done": done and done._asdict(),
            "given_back_bytes": won,
            "free_bytes": free,
        }
        print_json(data)
        return
    if done is None:
        return
    print(
        f"deleted {done.incidents:,} incidents, {done.builds:,} builds, {done.logs:,} logs,"
        f" {done.environments:,} environments"
    )
    if won is not None:
        print(f"gave {won / 1e6:,.1f} MB back to the disk")
    elif free and free > 1_000_000:
        print(f"{free / 1e6:,.1f} MB inside {archive} are free for new incidents; --vacuum gives them back to the disk")
