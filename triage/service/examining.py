"""The logs of one CI job: which of them tells why it failed, and how each failure stands in its history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from triage.environment import origin_of, refused
from triage.errors import InputError, TriageError
from triage.inputs import Log, open_logs
from triage.library import load_library
from triage.records import Case, Incident, Job, Report
from triage.rulebook.read import STAGES
from triage.service.diagnosis import Diagnosed, diagnose_log
from triage.service.filing import Run, file, new_build, open_archive, told
from triage.service.opinion import second_opinion
from triage.service.standing import standings

STATUSES = ("failure", "success", "cancelled")
_ORDER = ("named", "likely", "unknown", "no-failure")


class Examined(NamedTuple):
    """What is known of a job. The report that tells why it failed stands first.

    ``status`` is failure, success or cancelled; ``cases`` are the failures to be told, none where the job passed;
    ``remarks`` are for standard error.
    """

    job: Job
    status: str
    reports: tuple[Report, ...]
    cases: tuple[Case, ...]
    remarks: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether there is something to tell others: a failure that was found, or a job that passed."""
        return bool(self.cases) if self.status == "failure" else self.status == "success"


def examine(names: Sequence[str], job: Job, *, status: str | None = None, with_archive: bool = True) -> Examined:
    """Diagnoses the logs of one job, and files them.

    Args:
        names: log files, archives, addresses, or - for a pipe.
        job: where they come from.
        status: how the job ended; None lets the logs say it.
        with_archive: whether to file them and to ask what came before.

    Raises:
        InputError: no log can be read. Where some can, the faults of the others are remarks.
    """
    found, faults = _diagnosed(open_logs(name) for name in names)
    if faults and not found:
        raise faults[0]
    return examined(found, job, status=status, with_archive=with_archive, remarks=tuple(map(str, faults)))


def examine_logs(logs: Iterable[Log], job: Job, *, status: str, with_archive: bool = True) -> Examined:
    """The same for logs that a host handed out. A log that cannot be read is a remark."""
    found, faults = _diagnosed((log,) for log in logs)
    return examined(found, job, status=status, with_archive=with_archive, remarks=tuple(map(str, faults)))


def _diagnosed(sources: Iterable[Iterable[Log]]) -> tuple[list[Diagnosed], list[InputError]]:
    """Each log of each source, and why a source could not be read to its end; each is read before the next is asked."""
    found: list[Diagnosed] = []
    faults: list[InputError] = []
    for logs in sources:
        try:
            for log in logs:
                found.append(diagnose_log(log, load_library()))
        except InputError as fault:
            faults.append(fault)
    return found, faults


def examined(
    found: Sequence[Diagnosed], job: Job, *, status: str | None, with_archive: bool, remarks: tuple[str, ...] = ()
) -> Examined:
    """Puts diagnosed logs of one job together."""
    failed = any(item.report.diagnosis.failure for item in found)
    status = status or ("failure" if failed else "success")
    found = [item._replace(report=_considered(item.report, status, with_archive)) for item in found]
    found = [found[place] for place in in_order([item.report for item in found])]
    if with_archive and status != "cancelled":
        reports, said = _filed(found, job, status)
        if said:  # what could not be filed is not asked about either: that would cost the same wait again
            remarks, with_archive = (*remarks, said), False
    else:
        reports = [item.report for item in found]
    return judged(reports, job, status, with_archive=with_archive, remarks=remarks)


def judged(
    reports: Sequence[Report], job: Job, status: str, *, with_archive: bool, remarks: tuple[str, ...] = ()
) -> Examined:
    """Reports that were filed already, with the standing of each failure."""
    cases: list[Case] = []
    if status == "failure":
        for report in reports:
            cases += [
                Case(incident, report.source, standing, changed=report.changed)
                for incident, standing in standings(report, job, with_archive=with_archive)
                if not _follows(incident, reports)
            ]
    return Examined(job, status, tuple(reports), tuple(cases), (*remarks, *refused()))


def in_order(reports: Sequence[Report]) -> list[int]:
    """Places of the reports, the one that tells why the job failed first.

    A cause comes before an unknown one; what follows from a cause of another log comes after it, be that cause only
    likely; a named cause comes before a likely one; a line that says why before one that only says that all ended
    (make, a CI system); an earlier stage before a later one, which may lack what the earlier one did not make; among
    equals the first log wins, for the first failure does.
    """
    rules = load_library().rulebook.rules() if len(reports) > 1 else []
    ends = {f"rule:{rule.id}" for rule in rules if rule.says == "end"}

    def weight(place: int) -> tuple[bool, bool, int, bool, int, int]:
        diagnosis = reports[place].diagnosis
        if diagnosis.primary is None:
            return True, False, len(_ORDER), False, 0, place
        first = diagnosis.incidents[diagnosis.primary]
        stage = STAGES.index(first.stage) if first.stage in STAGES else len(STAGES)
        verdict = _ORDER.index(diagnosis.verdict)
        follows = _follows(first, reports, ("named", "likely"))
        return verdict > _ORDER.index("likely"), follows, verdict, first.causes[0].by in ends, stage, place

    return sorted(range(len(reports)), key=weight)


def _follows(incident: Incident, reports: Sequence[Report], verdicts: tuple[str, ...] = ("named",)) -> bool:
    """Whether a cause that any of the logs names, with one of these verdicts, is the reason of this one."""
    deeper = load_library().knowledge.deeper(incident.causes[0].id)
    return any(
        other.causes[0].id in deeper and other.causes[0].verdict in verdicts
        for report in reports
        for other in report.diagnosis.incidents
        if other is not incident
    )


def _considered(report: Report, status: str, with_archive: bool) -> Report:
    if report.diagnosis.verdict != "unknown" or status != "failure":
        return report
    return second_opinion(report, with_archive=with_archive)


def _filed(found: Sequence[Diagnosed], job: Job, status: str) -> tuple[list[Report], str]:
    """Files the logs of a job; gives the reports with what the archive knows, or as they were and the reason."""
    reports = [item.report for item in found]
    edition = load_library().edition
    try:
        with open_archive() as archive:
            places = _worth_filing(reports, status)
            filed = file(archive, [
                new_build(reports[place], found[place].log, edition, origin_of(job), _run(reports[place], job, status))
                for place in places
            ])  # fmt: skip
            for place, one in zip(places, filed, strict=True):
                if one.incidents:
                    reports[place] = told(archive, reports[place], one)
    except TriageError as fault:
        return reports, f"not filed: {fault}"
    return reports, ""


def _worth_filing(reports: Sequence[Report], status: str) -> list[int]:
    """One log stands for a job that passed; of one that failed, every log that shows a failure."""
    failing = [place for place, report in enumerate(reports) if report.diagnosis.failure and status == "failure"]
    return failing or list(range(min(1, len(reports))))


def _run(report: Report, job: Job, status: str) -> Run:
    """Every run of a job is a build of its own, also when it prints the same."""
    diagnosis = report.diagnosis
    first = diagnosis.incidents[diagnosis.primary] if diagnosis.primary is not None else None
    key = f"{job.system} {job.repository} {job.run} {job.job} {job.attempt} {job.name} {report.source}"
    return Run(
        key=hashlib.sha256(key.encode()).hexdigest() if job.run else "",
        exit_code=int(status == "failure"),
        model=first and first.model,
        stage=first and first.stage,
        target=job.name,
    )
