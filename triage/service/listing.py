"""Lists and figures of the archive, as every face asks for them: a filter in, a page out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from triage.archive.conditions import condition
from triage.archive.export_rows import Told, told
from triage.archive.facets import Facet
from triage.archive.filters import Filter
from triage.archive.finding import Found, look
from triage.archive.group_list import FoundGroups, look_at_groups
from triage.archive.held_values import different, indexed
from triage.archive.session import Archive
from triage.archive.statistics import DEFAULT, Statistics, statistics_of
from triage.archive.tables import Group, Incident

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_MAJOR_MINOR, _PAIR = 100_000**2, 100_000
_HELD: Mapping[str, Any] = {
    "cause": Incident.cause, "tool": Incident.tool, "stage": Incident.stage, "precision": Incident.precision,
    "model": Incident.model, "branch": Incident.branch, "repo": Incident.repository, "host": Incident.host,
    "ci": Incident.ci, "component": Incident.component, "rule": Incident.rule, "version": Incident.tool_key,
    "engine": Incident.engine_key, "owner": Group.owner, "confirmed": Group.confirmed_cause,
}  # fmt: skip


class Page(NamedTuple):
    """A page of incidents with what their logs said, by row number."""

    found: Found
    said: dict[int, Told]


def is_there() -> bool:
    """Whether there is an archive to ask; a file that is missing is made by the first incident that is filed."""
    with Archive() as archive:
        return archive.path is None or os.path.exists(archive.path)


def incidents(
    archive: Archive,
    chosen: Filter,
    *,
    order: str = "at",
    limit: int = 20,
    cursor: str | None = None,
    facets: bool = False,
    text: bool = False,
) -> Page:
    """A page of incidents, with their decisive lines where ``text``; the rest as ``finding.look``."""
    with archive.read() as connection:
        found = look(connection, chosen, order=order, limit=limit, cursor=cursor, facets=facets)
        return Page(found, told(connection, found.hits, chosen) if text else {})


def groups(
    archive: Archive, chosen: Filter, *, order: str = "at", limit: int = 20, cursor: str | None = None
) -> FoundGroups:
    """A page of groups; arguments and errors as ``group_list.look_at_groups``."""
    with archive.read() as connection:
        return look_at_groups(connection, chosen, order=order, limit=limit, cursor=cursor)


def facets_of(archive: Archive, chosen: Filter) -> tuple[Facet, ...]:
    """Counts of the incidents that fit."""
    with archive.read() as connection:
        return look(connection, chosen, limit=1, facets=True).facets


def figures(archive: Archive, chosen: Filter, by: Sequence[str] = DEFAULT, *, top: int = 10) -> Statistics:
    """Statistics of the incidents that fit; errors as ``statistics_of`` and the filter's."""
    with archive.read() as connection:
        where = condition(connection, chosen) if chosen.terms else None
        return statistics_of(connection, by, where, top=top)


def values_of(archive: Archive, key: str) -> list[str]:
    """What the archive holds under a key of the filter; empty where that cannot be told quickly."""
    column = _HELD.get(key)
    if column is None or not indexed(column):
        return []
    with archive.read() as connection:
        held = different(connection, column) or []
    if key in ("version", "engine"):
        pairs = sorted({int(value) // _MAJOR_MINOR for value in held}, reverse=True)
        return ["{}.{}".format(*divmod(pair, _PAIR)) for pair in pairs]
    return held
