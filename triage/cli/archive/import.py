"""Take the incidents and confirmations of a bundle into the archive: all of it, or nothing.

The word ``starter`` takes in the cases that come with triage. What is here already is found again,
so importing twice changes nothing. Rules are never installed: --rules-to writes them to a folder.
"""

# ruff: noqa: N999 -- the file is named after its command

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.bundles.importing import Taken
    from triage.archive.session import Archive

EXAMPLE = """
triage archive import starter
triage archive import team.triage.zip --dry-run
triage archive import team.triage.zip --rules-to rules-of-the-team
"""
_NEW = (
    ("builds", "builds"),
    ("incidents", "incidents"),
    ("groups", "groups"),
    ("confirmations", "confirmations"),
    ("history", "lines of history"),
    ("logs", "logs"),
    ("added_logs", "logs that had stayed behind"),
    ("renewed", "cases in a newer edition"),
)
_KNOWN = (
    ("known_builds", "builds"),
    ("known_incidents", "incidents"),
    ("known_confirmations", "confirmations"),
    ("known_history", "lines of history"),
)
_SHOWN = 20


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive import``."""
    from triage.cli._archive import add_format

    parser.add_argument("file", metavar="FILE", help="a bundle; - for a pipe; or the word starter")
    parser.add_argument("--dry-run", action="store_true", help="say what would come in, and change nothing")
    parser.add_argument("--rules-to", metavar="FOLDER", help="write the rules of the bundle below this folder")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Proves the bundle, takes it in, says what is new."""
    from triage.cli._archive import opened, print_json

    with opened() as archive:
        taken, rules, written = (_starter if arguments.file == "starter" else _bundle)(archive, arguments)
    if arguments.format == "json":
        conflicts = [conflict._asdict() for conflict in taken.conflicts]
        told = {"file": arguments.file, "dry_run": arguments.dry_run, **taken._asdict(), "conflicts": conflicts}
        print_json({**told, "rules": rules, "rules_written": written})
    else:
        print("\n".join(_words(arguments, taken, rules, written)))
    return 0


def _starter(archive: Archive, arguments: Namespace) -> tuple[Taken, list[str], list[str]]:
    from triage.archive.bundles.starter import import_starter, read_cases
    from triage.errors import UsageError
    from triage.library import load_library
    from triage.records import Origin
    from triage.service import diagnose
    from triage.service.filing import new_build

    if arguments.rules_to:
        raise UsageError("the starter archive brings no rules: leave --rules-to out.")
    edition = load_library().edition
    taken = import_starter(
        archive,
        read_cases(),
        diagnose=lambda log, name: diagnose(log, name=name),
        new_build=lambda report, log: new_build(report, log, edition, Origin()),
        dry_run=arguments.dry_run,
    )
    return taken, [], []


def _bundle(archive: Archive, arguments: Namespace) -> tuple[Taken, list[str], list[str]]:
    from triage.archive.bundles import files, rules
    from triage.archive.bundles.importing import take_in
    from triage.errors import InputError, RuleFault

    with files.opened(arguments.file) as bundle:
        along = bundle.rules()
        if arguments.rules_to:
            try:
                rules.prove(along)
            except RuleFault as fault:
                raise InputError(f"{arguments.file}: {fault}\nNothing of it was taken in.") from fault
            rules.check_place(along, arguments.rules_to)
        taken = take_in(archive, bundle, dry_run=arguments.dry_run)
    written = rules.place(along, arguments.rules_to) if arguments.rules_to and not arguments.dry_run else []
    return taken, [name.removeprefix("rules/") for name in sorted(along)], written


def _words(arguments: Namespace, taken: Taken, rules: list[str], written: list[str]) -> Iterator[str]:
    would = "would bring" if arguments.dry_run else "brought"
    yield f"{arguments.file}, from {taken.origin}"
    new = [f"{taken.counts[key]:,} {words}" for key, words in _NEW if taken.counts.get(key)]
    known = [f"{taken.counts[key]:,} {words}" for key, words in _KNOWN if taken.counts.get(key)]
    yield f"  {would}: {', '.join(new) or 'nothing new'}"
    if known:
        yield f"  known here: {', '.join(known)}"
    if taken.counts.get("changed_groups"):
        yield f"  what is decided about {taken.counts['changed_groups']:,} groups was taken over"
    if taken.before:
        yield f"  the same bundle was taken in before, on {taken.before:%Y-%m-%d %H:%M} UTC"
    for one in taken.conflicts[:_SHOWN]:
        yield f"  kept {one.group}, {one.about.replace('_', ' ')}: {one.here} (there: {one.there})"
    if len(taken.conflicts) > _SHOWN:
        yield f"  and {len(taken.conflicts) - _SHOWN:,} more that differ; --format json lists all"
    if rules and not arguments.rules_to:
        yield f"  rules that came along and were not installed: {len(rules)}. To have them: --rules-to FOLDER"
    for path in written:
        yield f"  rule {path}"
