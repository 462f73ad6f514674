"""Everything a page about a failure shows: its own page, what changed, what is near, what repairs tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from triage.archive.merging import UNDOABLE
from triage.archive.repairs import Tried, attempts_of, repairs_of
from triage.archive.session import Archive
from triage.archive.states import STATES
from triage.archive.subjects import find, incident_row, newest_incident
from triage.records import Changed, Similar
from triage.service.changing import changed
from triage.service.neighbours import find_similar

NEAR = 6


class Beside(NamedTuple):
    """What stands beside the page of an incident. ``attempts`` by the id of their repair."""

    changed: Changed | None
    similar: tuple[Similar, ...]
    attempts: Mapping[str, Sequence[Tried]]


def beside(archive: Archive, name: str) -> Beside:
    """What changed since the last good build, what is near, and what repairs tried. Errors as ``curation.page``."""
    with archive.read() as connection:
        subject = find(connection, name)
        number = subject.incident or newest_incident(connection, subject.group)
        since = changed(connection, incident_row(connection, number).build_id) if number else None
        tried = {one.uid: attempts_of(connection, one.uid) for one in repairs_of(connection, subject.group)}
    return Beside(since, tuple(find_similar(archive, name, NEAR)), tried)


def may_become(state: str) -> tuple[str, ...]:
    """States that a person can move a failure to from this one."""
    return STATES[state]


def last_undoable(page: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The youngest line of a page's history that can be taken back; None where there is none."""
    lines = (
        line for line in page["history"]
        if line["kind"] in UNDOABLE and not line["undone"] and line["actor"] != "triage"
    )  # fmt: skip
    return max(lines, key=lambda line: int(line["id"]), default=None)
