"""Similar incidents: candidates from the archive, scored and explained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from triage.archive import neighbours as rows
from triage.archive.candidates import CANDIDATES, FEW, TAIL, CandidateIndex
from triage.archive.session import Archive
from triage.archive.subjects import Subject, find, group_row
from triage.diagnose.similar import FLOOR, SHARED, Known, Near, nearest
from triage.errors import UsageError
from triage.folders import cache_folder
from triage.inputs import open_logs
from triage.library import load_library
from triage.records import Incident, Similar
from triage.service.diagnosis import diagnose_log
from triage.signature import VERSION

SHOWN = 5
YOUNGEST = 200  # groups that a writer may still be committing


def similar_to(archive: Archive, connection: Any, incident: Incident, subject: Subject | None) -> tuple[Similar, ...]:
    """Incidents of other groups whose text is near, best first; empty where there is none."""
    if incident.signature is None:
        return ()
    text = incident.signature.template
    near = near_groups(connection, text, incident.tool, incident.signature.kept, SHOWN + 1)
    near = [one for one in near if subject is None or one.key != subject.group][:SHOWN]
    known = rows.neighbours(connection, [one.key for one in near])
    return tuple(_similar(one, known[one.key]) for one in near if one.key in known)


def _similar(near: Near, known: rows.Neighbour) -> Similar:
    return Similar(known.incident_uid, near.score, known.cause, known.state, known.fix, near.why)


def near_groups(
    connection: Any, text: str, tool: str, kept: Any, limit: int, *, floor: float = FLOOR, shared: float = SHARED
) -> Sequence[Near]:
    """Groups whose template is near. A small archive is compared whole, a large one by its index."""
    known = _candidates(connection, text)
    return nearest(text, tool, known, limit=limit, floor=floor, shared=shared, kept=kept)


def _candidates(connection: Any, text: str) -> list[Known]:
    last = rows.newest_group(connection)
    if last <= FEW:
        return [Known(*row) for row in rows.texts_after(connection, 0)]
    found = _index(connection).search(text, CANDIDATES)
    if last - found.watermark > TAIL + YOUNGEST:
        _behind.append(found.watermark)
    return [
        Known(*row) for row in (*rows.texts_of(connection, found.ids), *rows.texts_after(connection, found.watermark))
    ]


_behind: list[int] = []  # watermarks of indexes that a search found too far behind


def _index(connection: Any) -> CandidateIndex:
    return CandidateIndex(os.path.join(cache_folder(), "twins"), f"{rows.identity(connection)} {VERSION}")


def catch_up(archive: Archive) -> int:
    """Brings the index of candidates up to date where a search found it behind; gives how many were added.

    To be called when the answer is out. The youngest groups are withheld: on PostgreSQL a lower
    number may still be committed after a higher one.
    """
    if not _behind:
        return 0
    _behind.clear()
    with archive.read() as connection:
        last = rows.newest_group(connection) - YOUNGEST
        index = _index(connection)
        new = (tuple(row) for row in rows.texts_between(connection, index.watermark, last))
        return index.follow(new)


def find_similar(archive: Archive, what: str, limit: int) -> list[Similar]:
    """What is near an incident, a group, or the first failure of a log that is named by path or ``-``.

    Raises:
        UsageError: the log has no failure, or there is neither such an id nor such a file.
    """
    with archive.read() as connection:
        text, tool, kept, own = _asked_for(connection, what)
        near = [one for one in near_groups(connection, text, tool, kept, limit + 1) if one.key != own][:limit]
        known = rows.neighbours(connection, [one.key for one in near])
    return [_similar(one, known[one.key]) for one in near if one.key in known]


def _asked_for(connection: Any, what: str) -> tuple[str, str, Any, int | None]:
    if what != "-" and not os.path.exists(what) and what[:2] in ("i-", "g-"):
        subject = find(connection, what)
        row = group_row(connection, subject.group)
        return row.template, row.tool, None, subject.group
    for log in open_logs(what):
        report = diagnose_log(log, load_library()).report
        if report.diagnosis.primary is None:
            raise UsageError(f"{report.source} shows no failure, so nothing can be like it.")
        incident = report.diagnosis.incidents[report.diagnosis.primary]
        if incident.signature:
            return incident.signature.template, incident.tool, incident.signature.kept, None
    raise UsageError(f"{what} holds no failure that could be compared.")
