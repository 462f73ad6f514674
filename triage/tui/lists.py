"""What the archive's lists show: their columns and orders, and where a page comes from. No Textual in here.

A page is read in a worker thread; its faults are TriageError, in words.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.archive.filters import Filter, written
from triage.ingest.text import plain
from triage.tui.columns import Column, minute, when

if TYPE_CHECKING:
    from triage.archive.export_rows import Told
    from triage.archive.facets import Facet
    from triage.archive.finding import Hit, Total
    from triage.archive.group_list import GroupHit

PAGE = 100


class Order(NamedTuple):
    """A way to sort: its name for commands, the column it goes by, its sign, and its words."""

    name: str
    column: str
    sign: str
    words: str


class Line(NamedTuple):
    """A row of a list: the record, and what its log said."""

    hit: Any
    said: Told | None = None


class Rows(NamedTuple):
    """A page; ``total`` is None where there is no archive yet."""

    lines: Sequence[Line]
    cursor: str | None
    total: Total | None
    facets: Sequence[Facet] = ()


class Kind(NamedTuple):
    """A list: of incidents, or of groups."""

    name: str
    noun: str
    words: tuple[str, ...]
    columns: tuple[Column, ...]
    usual: tuple[str, ...]
    orders: tuple[Order, ...]
    page: Callable[[Filter, str, str | None, bool], Rows]
    below: Callable[[Line], list[str]]

    def command(self, chosen: Filter, order: str) -> str:
        """The command that lists the same."""
        sort = [] if order == "at" else ["--sort", order]
        return shlex.join([*self.words, *arguments(chosen), *sort])


def arguments(chosen: Filter) -> list[str]:
    """A filter as a command takes it: one argument a term."""
    return [written(Filter((term,))) for term in chosen.terms]


def read_filter(text: str) -> Filter:
    """A filter as it was typed. Raises as ``filters.parse``."""
    from triage.archive.filters import parse

    return parse(text)


def values(key: str) -> list[str]:
    """What the archive holds under a key of the filter; empty where it cannot be asked."""
    from triage.errors import TriageError
    from triage.service.filing import open_archive
    from triage.service.listing import is_there, values_of

    try:
        if not is_there():
            return []
        with open_archive() as archive:
            return [plain(value) for value in values_of(archive, key)]
    except TriageError:
        return []


# -- incidents


def _incidents(chosen: Filter, order: str, cursor: str | None, facets: bool) -> Rows:
    from triage.service.filing import open_archive
    from triage.service.listing import incidents, is_there

    if not is_there():
        return Rows((), None, None)
    with open_archive() as archive:
        found, said = incidents(archive, chosen, order=order, limit=PAGE, cursor=cursor, facets=facets, text=True)
    return Rows([Line(hit, said.get(hit.number)) for hit in found.hits], found.cursor, found.total, found.facets)


def _below_incident(line: Line) -> list[str]:
    hit: Hit = line.hit
    said = line.said.text if line.said else ""
    where = (hit.source, f"line {hit.line:,}", hit.repository, hit.commit and hit.commit[:12], hit.host, hit.run_url)
    return [plain(said), plain(" · ".join(part for part in where if part))]


def _cause(hit: Any) -> str:
    return f"✓ {plain(hit.confirmed)}" if hit.confirmed else plain(hit.cause)


def _plain(name: str) -> Callable[[Line], str]:
    return lambda line: plain(str(getattr(line.hit, name) or ""))


_INCIDENT = (
    Column("id", "id", lambda line: line.hit.id),
    Column("when", "when", lambda line: when(line.hit.at)),
    Column("state", "state", lambda line: line.hit.state, 3, 8),
    Column("verdict", "verdict", lambda line: line.hit.verdict, 4, 7),
    Column("cause", "cause", lambda line: _cause(line.hit), 1, 16),
    Column("tool", "tool", lambda line: plain(f"{line.hit.tool} {line.hit.tool_version or ''}".strip()), 2, 10),
    Column("model", "model", _plain("model"), 5, 10),
    Column("precision", "precision", _plain("precision"), 8, 9),
    Column("branch", "branch", _plain("branch"), 9, 8),
    Column("stage", "stage", _plain("stage"), 10, 6),
    Column("line", "what the log said", lambda line: plain(line.said.text) if line.said else "", 11, 24),
    Column("component", "component", _plain("component"), 12, 8),
    Column("engine", "engine", _plain("engine_version"), 13, 6),
    Column("owner", "owner", _plain("owner"), 14, 6),
    Column("host", "host", _plain("host"), 15, 6),
    Column("ci", "CI", _plain("ci"), 16, 6),
    Column("repository", "repository", _plain("repository"), 17, 10),
    Column("commit", "commit", lambda line: plain(line.hit.commit or "")[:12], 18, 8),
    Column("source", "source", _plain("source"), 19, 10),
    Column("group", "group", lambda line: line.hit.group, 20, 14),
    Column("rule", "rule", _plain("rule"), 21, 12),
)
INCIDENTS = Kind(
    name="archive",
    noun="incident",
    words=("triage", "archive", "list"),
    columns=_INCIDENT,
    usual=("id", "when", "state", "verdict", "cause", "tool", "model", "precision", "branch"),
    orders=(
        Order("at", "when", "▼", "newest first"),
        Order("first", "when", "▲", "oldest first"),
        Order("cause", "cause", "▲", "by cause"),
        Order("model", "model", "▲", "by model"),
    ),
    page=_incidents,
    below=_below_incident,
)

# -- groups


def _groups(chosen: Filter, order: str, cursor: str | None, facets: bool) -> Rows:
    from triage.service.filing import open_archive
    from triage.service.listing import facets_of, groups, is_there

    if not is_there():
        return Rows((), None, None)
    with open_archive() as archive:
        found = groups(archive, chosen, order=order, limit=PAGE, cursor=cursor)
        counted = facets_of(archive, chosen) if facets else ()
    return Rows([Line(hit) for hit in found.groups], found.cursor, found.total, counted)


def _below_group(line: Line) -> list[str]:
    hit: GroupHit = line.hit
    seen = f"{hit.times:,} times in {hit.builds:,} builds, {minute(hit.first_seen)} to {minute(hit.last_seen)}"
    cured = f" · cured by {hit.fix}" if hit.fix else ""
    return [plain(hit.template), plain(f"{seen}{cured}")]


_GROUP = (
    Column("id", "id", lambda line: line.hit.id),
    Column("state", "state", lambda line: line.hit.state, 4, 8),
    Column("cause", "cause", lambda line: _cause(line.hit), 1, 16),
    Column("count", "count", lambda line: f"{line.hit.times:,}", right=True),
    Column("builds", "builds", lambda line: f"{line.hit.builds:,}", 7, 6, right=True),
    Column("first", "first", lambda line: when(line.hit.first_seen), 6, 10),
    Column("last", "last", lambda line: when(line.hit.last_seen), 3, 11),
    Column("text", "text", lambda line: plain(line.hit.template), 2, 16),
    Column("verdict", "verdict", lambda line: line.hit.verdict, 8, 7),
    Column("tool", "tool", _plain("tool"), 9, 8),
    Column("stage", "stage", _plain("stage"), 10, 6),
    Column("owner", "owner", _plain("owner"), 5, 6),
    Column("fix", "cured by", _plain("fix"), 11, 8),
)
GROUPS = Kind(
    name="groups",
    noun="group",
    words=("triage", "archive", "groups"),
    columns=_GROUP,
    usual=("id", "state", "cause", "count", "builds", "first", "last", "owner", "text"),
    orders=(
        Order("at", "last", "▼", "seen last first"),
        Order("first", "first", "▼", "newest first"),
        Order("count", "count", "▼", "most frequent first"),
        Order("cause", "cause", "▲", "by cause"),
    ),
    page=_groups,
    below=_below_group,
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (INCIDENTS, GROUPS)}
