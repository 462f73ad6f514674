"""Filing what was diagnosed, and telling what the archive knows of it.

Diagnosing never needs the archive: whatever is wrong with it becomes a sentence, and the report stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from triage.archive.filing import Filed, NewBuild, NewIncident, file_prepared, prepare
from triage.archive.schema import require
from triage.archive.session import Archive
from triage.archive.subjects import find, group_row, share_of_builds
from triage.archive.vault import pack
from triage.diagnose.normal import incident_text
from triage.environment import origin
from triage.errors import TriageError
from triage.records import KeptLog, Origin, Report, Seen
from triage.reports._shape import incident_dict
from triage.service import neighbours
from triage.service.diagnosis import Diagnosed, with_incidents


class Run(NamedTuple):
    """What ``triage run`` knows of a build besides its log. ``key`` makes every run its own."""

    key: str = ""
    target: str | None = None
    command: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    seconds: float | None = None
    exit_code: int | None = None
    environment: Mapping[str, Any] | None = None
    prints: bytes | None = None
    started: datetime | None = None
    model: str | None = None
    stage: str | None = None


def open_archive() -> Archive:
    """The archive of this user or team, ready for use. Raises ArchiveFault."""
    archive = Archive()
    require(archive)
    return archive


def new_build(report: Report, log: KeptLog, edition: str, where: Origin, run: Run | None = None) -> NewBuild:
    """A report as the archive takes it: only independent failures are incidents of their own."""
    run = run or Run()
    diagnosis = report.diagnosis
    failed = diagnosis.failure if run.exit_code is None else run.exit_code != 0  # how a command ended is the last word
    failures = [incident for incident in diagnosis.incidents if failed and incident.consequence_of is None]
    decisive = {line.line: line.text for failure in failures for line in failure.causes[0].evidence}
    first = failures[0] if failures else None
    return NewBuild(
        source=report.source,
        at=run.started or datetime.now(UTC),
        outcome="failed" if failed else "passed",
        incidents=[NewIncident(failure, incident_text(failure), incident_dict(failure)) for failure in failures],
        rules_version=edition,
        log=pack(log, sorted(decisive.items())),
        origin=where,
        environment=run.environment or dict(diagnosis.environment) or None,
        key=run.key,
        model=run.model if run.key else first and first.model,  # a run is compared by what its command says
        stage=run.stage if run.key else first and first.stage,
        target=run.target,
        command=run.command,
        parameters=run.parameters,
        seconds=run.seconds,
        exit_code=run.exit_code,
        prints=run.prints,
    )


def file(archive: Archive, builds: Sequence[NewBuild]) -> list[Filed]:
    """Files builds, all or none. Raises ArchiveFault."""
    prepared = prepare(builds)
    with archive.write() as connection:
        return file_prepared(connection, prepared)


def told(archive: Archive, report: Report, filed: Filed) -> Report:
    """The report with ids, how often each failure was seen, and what is similar."""
    ids = iter(filed.incidents)
    incidents = []
    with archive.read() as connection:
        for incident in report.diagnosis.incidents:
            if incident.consequence_of is not None:
                incidents.append(incident)
                continue
            name = next(ids)
            subject = find(connection, name)
            known = incident._replace(
                id=name,
                seen=seen_of(connection, subject.group),
                similar=neighbours.similar_to(archive, connection, incident, subject),
            )
            incidents.append(known)
    return with_incidents(report, incidents)


def seen_of(connection: Any, group: int) -> Seen:
    """How well a group is known."""
    row = group_row(connection, group)
    builds, of = share_of_builds(connection, row)
    return Seen(
        group=row.uid,
        state=row.state,
        times=row.times,
        first=row.first_seen.isoformat(timespec="seconds"),
        last=row.last_seen.isoformat(timespec="seconds"),
        builds=builds,
        of=of,
        owner=row.owner,
        note=row.note,
        confirmed=row.confirmed_cause,
        fix=row.confirmed_fix,
    )


def file_and_tell(report: Report, log: KeptLog, edition: str) -> tuple[Report, str]:
    """Files one report; gives it with what the archive knows, or as it was and the reason why not."""
    try:
        with open_archive() as archive:
            (filed,) = file(archive, [new_build(report, log, edition, origin())])
            return told(archive, report, filed), ""
    except TriageError as fault:
        return report, f"not filed: {fault}"


def catch_up() -> None:
    """Brings what is derived from the archive up to date; a fault of the archive was said before."""
    with suppress(TriageError), Archive() as archive:
        neighbours.catch_up(archive)


@cache
def _held() -> tuple[Archive, Origin]:
    """The archive and where we are, for as long as this process files: asking for each batch costs more."""
    return open_archive(), origin()


_unusable: list[str] = []  # why this process gave the archive up: waiting for it again and again helps nobody


def file_together(found: Sequence[Diagnosed], edition: str) -> tuple[list[Report], str]:
    """Files many reports in one transaction; gives them with their ids, or as they were and the reason."""
    reports = [item.report for item in found]
    if _unusable:
        return reports, _unusable[0]
    try:
        archive, here = _held()
        filed = file(archive, [new_build(item.report, item.log, edition, here) for item in found])
    except TriageError as fault:
        _unusable.append(f"not filed: {fault}")
        return reports, _unusable[0]
    return [_named(report, one) for report, one in zip(reports, filed, strict=True)], ""


def _named(report: Report, filed: Filed) -> Report:
    ids = iter(filed.incidents)
    return with_incidents(
        report,
        [
            incident if incident.consequence_of is not None else incident._replace(id=next(ids))
            for incident in report.diagnosis.incidents
        ],
    )
