"""Filing what ``triage run`` ran, and telling what changed since the last good build."""

from __future__ import annotations

from triage.archive import baselines
from triage.archive.session import Archive
from triage.environment import origin
from triage.errors import TriageError
from triage.library import load_library
from triage.records import Origin, Report
from triage.service.changing import changed
from triage.service.diagnosis import Diagnosed
from triage.service.filing import Run, file, new_build, open_archive, told
from triage.service.running import NOT_FILED


def file_run(found: Diagnosed, run: Run, where: Origin | None = None) -> tuple[Report, str]:
    """Files a run. Gives the report with what the archive knows, and a remark for standard error."""
    report = found.report
    try:
        with open_archive() as archive:
            (filed,) = file(archive, [new_build(report, found.log, load_library().edition, where or origin(), run)])
            if run.exit_code:
                return _told(archive, told(archive, report, filed), filed.build_key), ""
    except TriageError as fault:
        return report, f"{NOT_FILED}{fault}"
    if run.prints is None:
        cause = report.diagnosis.incidents[0].causes[0]
        return (
            report,
            f"the command succeeded, but line {cause.evidence[0].line} says {cause.id}; not kept as a baseline",
        )
    what = ", ".join(filter(None, (run.model, run.stage, run.target)))
    return report, f"kept as the baseline of {what or 'this command'}"


def _told(archive: Archive, report: Report, key: str) -> Report:
    with archive.read() as connection:
        return report._replace(changed=changed(connection, baselines.build_id(connection, key)))
