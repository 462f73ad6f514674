"""What the commands of the archive share: opening it, finding a row by its id, printing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.session import Archive


@contextmanager
def opened() -> Iterator[Archive]:
    """The archive of this user or team, with a schema that fits; closed at the end.

    Raises:
        ArchiveFault, SchemaFault: it cannot be used, and why.
    """
    from triage.archive.schema import require
    from triage.archive.session import Archive

    with Archive() as archive:
        require(archive)
        yield archive


def add_format(parser: ArgumentParser, *names: str) -> None:
    """``--format``; the first name is the default."""
    names = names or ("text", "json")
    parser.add_argument("--format", choices=names, default=names[0], help=f"default: {names[0]}")


def print_json(data: Any) -> None:
    """One JSON document; times as ISO 8601."""
    print(json.dumps(data, ensure_ascii=False, indent=1, default=str))


def print_decision(arguments: Namespace, done: dict[str, Any], words: str) -> None:
    """What a decision changed, with the way back."""
    if arguments.format == "json":
        print_json(done)
    else:
        print(f"{done['id']} (group {done['group']}) {words}. To take it back: triage archive undo {done['history']}")


def chosen_incidents(archive: Archive, arguments: list[str]) -> Any:
    """A command's filter as a condition on incidents; None where it names none."""
    if not arguments:
        return None
    from triage.archive.conditions import condition
    from triage.archive.filters import parse_arguments

    with archive.read() as connection:
        return condition(connection, parse_arguments(arguments))
