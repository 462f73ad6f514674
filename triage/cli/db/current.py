"""Show where the archive is, its schema, its size and what it holds. Exit code 2 where the schema does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.upkeep import Overview

EXAMPLE = """
triage db current
triage db current --format json
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage db current``."""
    from triage.cli._archive import add_format

    add_format(parser)


def run(arguments: Namespace) -> int:
    """Looks, and changes nothing."""
    from triage.archive.schema import FITS
    from triage.archive.session import Archive
    from triage.archive.upkeep import overview
    from triage.cli._archive import print_json

    with Archive() as archive:
        found = overview(archive)
    standing = found.standing
    if arguments.format == "json":
        data = found._asdict() | {"standing": standing.kind, "version": standing.version, "head": standing.head}
        print_json(data | {"fits": standing.kind == FITS})
    else:
        print("\n".join(_lines(found)))
    return 0 if standing.kind == FITS else 2


def _lines(found: Overview) -> Iterator[str]:
    version = found.standing.version or "no schema"
    yield f"archive   {found.where} ({'SQLite' if found.database == 'sqlite' else 'PostgreSQL'})"
    yield f"schema    {version}, newest {found.standing.head}: {found.standing.words}"
    if found.size is not None:
        free = f", {found.free / 1e6:,.1f} MB of it free" if found.free else ""
        yield f"size      {found.size / 1e6:,.1f} MB{free}"
    if found.identity:
        yield f"identity  {found.identity}"
    if found.counts:
        yield "holds     " + ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
