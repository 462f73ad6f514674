"""Printing incidents: the part that ``list`` and ``search`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.archive.export_rows import Told, as_event, as_row
from triage.archive.filters import parse_arguments
from triage.archive.finding import Found, Hit
from triage.cli._archive import opened
from triage.cli.archive import _listing as listing
from triage.cli.archive._listing import Column
from triage.ingest.text import plain
from triage.service.listing import incidents

if TYPE_CHECKING:
    from argparse import Namespace

_COLUMNS = (
    Column("id", lambda hit: hit.id),
    Column("when", lambda hit: listing.when(hit.at)),
    Column("state", lambda hit: hit.state),
    Column("verdict", lambda hit: hit.verdict),
    Column("cause", lambda hit: plain(hit.cause), 1, 16),
    Column("tool", lambda hit: plain(f"{hit.tool} {hit.tool_version or ''}".strip()), 2, 10),
    Column("model", lambda hit: plain(hit.model or ""), 3, 10),
    Column("precision", lambda hit: plain(hit.precision or ""), 4, 9),
    Column("branch", lambda hit: plain(hit.branch or ""), 5, 8),
)


def show(arguments: Namespace, *, facets: bool, text: bool) -> None:
    """Finds a page and prints it in the format that was asked for.

    Raises:
        UsageError: the filter, the cursor or the limit is wrong; the file exists or cannot be written.
    """
    listing.check_limit(arguments)
    chosen = parse_arguments(arguments.filter)
    told = text or arguments.format == "jsonl"
    with opened() as archive:
        found, said = incidents(
            archive,
            chosen,
            order=arguments.sort,
            limit=arguments.limit,
            cursor=arguments.cursor,
            facets=facets,
            text=told,
        )
    listing.put(arguments, _drawn(arguments, found, said))
    if arguments.format in ("jsonl", "csv"):
        listing.say_more(found)


def _drawn(arguments: Namespace, found: Found, said: dict[int, Told]) -> str:
    if arguments.format == "jsonl":
        return listing.as_jsonl(as_event(hit, said.get(hit.number)) for hit in found.hits)
    rows = [as_row(hit, _text(said[hit.number]) if hit.number in said else None) for hit in found.hits]
    if arguments.format == "csv":
        names = [name for name in Hit._fields if name != "number"] + (["text"] if said else [])
        return listing.as_csv(names, rows)
    if arguments.format == "json":
        return listing.as_json("incidents", rows, found, **({"facets": _facets(found)} if found.facets else {}))
    drawn = listing.footing(found, len(found.hits), "incident")
    if found.facets and found.hits:
        drawn += "\n" + listing.facet_lines(found.facets, found.total)
    if not found.hits:
        return drawn
    return listing.table(arguments, _COLUMNS, found.hits, lambda hit: _below(said.get(hit.number))) + "\n" + drawn


def _facets(found: Found) -> dict[str, Any]:
    """Counts by key; a null value stands for what is empty."""
    return {
        facet.key: {
            "counts": [{"value": value and plain(value), "count": times} for value, times in facet.counts],
            "others": facet.others,
        }
        for facet in found.facets
    }


def _text(said: Told) -> dict[str, Any]:
    return {"text": said.text}


def _below(said: Told | None) -> str:
    return plain(said.text) if said else ""
