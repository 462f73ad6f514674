"""What the archive knows of a report, without filing it: for faces that ask before a person decides."""

from __future__ import annotations

import os

from triage.archive.filing import find_groups
from triage.archive.session import Archive
from triage.archive.subjects import Subject
from triage.errors import TriageError
from triage.records import Incident, Report
from triage.service import neighbours
from triage.service.diagnosis import with_incidents
from triage.service.filing import open_archive, seen_of


def look_up(report: Report) -> tuple[Report, str]:
    """The report with how often each failure was seen and what is similar; and why the archive could not say.

    Nothing is written, and no archive is made where there is none.
    """
    try:
        with Archive() as asked:
            if asked.path is not None and not os.path.exists(asked.path):
                return report, ""
        with open_archive() as archive, archive.read() as connection:
            incidents = [_known(archive, connection, incident) for incident in report.diagnosis.incidents]
    except TriageError as fault:
        return report, f"the archive cannot be asked: {fault}"
    return with_incidents(report, incidents), ""


def _known(archive: Archive, connection: object, incident: Incident) -> Incident:
    signature = incident.signature
    if signature is None or incident.consequence_of is not None:
        return incident
    key = (signature.version, signature.hash)
    home = find_groups(connection, [key]).get(key)  # type: ignore[arg-type]
    subject = Subject(home.id, "", None, "") if home else None
    return incident._replace(
        seen=seen_of(connection, home.id) if home else None,
        similar=neighbours.similar_to(archive, connection, incident, subject),
    )
