"""What the commands of the archive share: opening it, finding a row by its id, printing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser

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
