"""List groups: each failure once, with how often and where it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.group_list import FoundGroups

EXAMPLE = """
triage archive groups state:new --sort count
triage archive groups cause:profile-missing,opset-unsupported owner:none
triage archive groups model:bert since:30d --format csv --output groups.csv
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive groups``."""
    from triage.cli.archive._listing import add_listing

    add_listing(parser, ("at", "first", "count", "cause"))


def run(arguments: Namespace) -> int:
    """One page."""
    from triage.archive.filters import parse_arguments
    from triage.cli._archive import opened
    from triage.cli.archive import _listing as listing
    from triage.service.listing import groups

    listing.check_limit(arguments)
    chosen = parse_arguments(arguments.filter)
    with opened() as archive:
        found = groups(archive, chosen, order=arguments.sort, limit=arguments.limit, cursor=arguments.cursor)
    listing.put(arguments, _drawn(arguments, found))
    if arguments.format in ("jsonl", "csv"):
        listing.say_more(found)
    return 0


def _drawn(arguments: Namespace, found: FoundGroups) -> str:
    from triage.archive.export_rows import as_row, group_as_event
    from triage.archive.group_list import GroupHit
    from triage.cli.archive import _listing as listing

    if arguments.format == "jsonl":
        return listing.as_jsonl(map(group_as_event, found.groups))
    rows = [as_row(hit) for hit in found.groups]
    if arguments.format == "csv":
        return listing.as_csv([name for name in GroupHit._fields if name != "number"], rows)
    if arguments.format == "json":
        return listing.as_json("groups", rows, found)
    drawn = listing.footing(found, len(found.groups), "group")
    return f"{_table(arguments, found)}\n{drawn}" if found.groups else drawn


def _table(arguments: Namespace, found: FoundGroups) -> str:
    from triage.cli.archive import _listing as listing
    from triage.cli.archive._listing import Column
    from triage.ingest.text import plain

    columns = (
        Column("id", lambda hit: hit.id),
        Column("state", lambda hit: hit.state),
        Column("cause", lambda hit: plain(hit.confirmed or hit.cause), 1, 16),
        Column("count", lambda hit: f"{hit.times:,}"),
        Column("builds", lambda hit: f"{hit.builds:,}"),
        Column("first", lambda hit: listing.when(hit.first_seen)),
        Column("last", lambda hit: listing.when(hit.last_seen)),
        Column("text", lambda hit: plain(hit.template), 2, 16),
    )
    return listing.table(arguments, columns, found.groups, lambda _: "")
