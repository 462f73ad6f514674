"""Counts of all that is within reach, by cause, tool, stage, precision, model, version, state, verdict and branch.

One statement reads the matches once and counts them in every way; the page comes out of it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, String, cast, func, literal, select, type_coerce, union_all

from triage.archive.reach import Reach
from triage.archive.tables import Group, Incident

TOP = 20
_STATE = select(Group.state).where(Group.id == Incident.group_id).correlate(Incident).scalar_subquery()
# facet, which is also the filter's key -> what is counted
COLUMNS: Mapping[str, Any] = {
    "cause": Incident.cause, "tool": Incident.tool, "stage": Incident.stage, "precision": Incident.precision,
    "model": Incident.model, "version": Incident.tool_key, "state": _STATE, "verdict": Incident.verdict,
    "branch": Incident.branch,
}  # fmt: skip
_PAGE = "page"
_MAJOR_MINOR = 100_000**2
_PAIR = 100_000


class Facet(NamedTuple):
    """Counts of one key, most frequent first; None stands for what is empty. ``others`` were left out."""

    key: str
    counts: tuple[tuple[str | None, int], ...]
    others: int = 0


class Counted(NamedTuple):
    """How many matches are within reach, their facets, and the numbers of the newest of them."""

    total: int
    facets: tuple[Facet, ...]
    newest: tuple[int, ...]


def count(
    connection: Connection, plan: Reach, *, facets: bool, limit: int, before: tuple[int, int] | None, top: int = TOP
) -> Counted:
    """Counts what is within reach.

    Args:
        connection: of the archive.
        plan: the conditions, and how far back they are counted.
        facets: whether to count by every facet, or only how many there are.
        limit: how many of the newest to name.
        before: microseconds and number that the named ones must come before; None for no bound.
        top: how many values of a facet are kept.
    """
    moment = type_coerce(Incident.at, BigInteger).label("at")
    columns = [column.label(key) for key, column in COLUMNS.items() if facets]
    seen = select(Incident.id, moment, *columns).where(*plan.counted).cte("seen").prefix_with("MATERIALIZED")
    newest = select(seen.c.id, seen.c.at)
    if before:
        newest = newest.where(seen.c.at <= before[0], (seen.c.at < before[0]) | (seen.c.id < before[1]))
    page = newest.order_by(seen.c.at.desc(), seen.c.id.desc()).limit(limit).subquery()
    parts = [
        select(literal("").label("key"), cast(None, String).label("value"), func.count().label("times")).select_from(
            seen
        ),
        select(literal(_PAGE), cast(page.c.at, String), page.c.id),
        *(_by(seen.c[key], key) for key in COLUMNS if facets),
    ]
    found: dict[str, list[tuple[str | None, int]]] = {}
    for key, value, times in connection.execute(union_all(*parts)):
        found.setdefault(key, []).append((value, times))
    named = sorted(((int(at or 0), number) for at, number in found.get(_PAGE, ())), reverse=True)
    figures = tuple(_facet(key, found.get(key, ()), top) for key in COLUMNS if facets)
    return Counted(found[""][0][1], figures, tuple(number for _, number in named))


def _by(column: Any, key: str) -> Select[Any]:
    value = column // _MAJOR_MINOR if key == "version" else column
    return select(literal(key), cast(value, String) if key == "version" else value, func.count()).group_by(value)


def _facet(key: str, counts: Sequence[tuple[str | None, int]], top: int) -> Facet:
    named = [(_name(key, value), times) for value, times in counts]
    ranked = sorted(named, key=lambda item: (-item[1], item[0] or ""))
    return Facet(key, tuple(ranked[:top]), sum(times for _, times in ranked[top:]))


def _name(key: str, value: str | None) -> str | None:
    return value if value is None or key != "version" else "{}.{}".format(*divmod(int(value), _PAIR))
