"""What one stage of a pipeline hands to the next: a job with its reports, as data that the reader need not trust.

The stage that ran the build may have been written by a stranger, so what it left is read as hostile: bounded,
checked field by field, and only believed where it belongs to the run that the reader was started for.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from triage.errors import InputError
from triage.ingest.text import plain
from triage.records import Case, Incident, Job, Report, Standing
from triage.reports._parse import report_from
from triage.reports._sections import HEADINGS
from triage.reports._shape import as_dict
from triage.service.examining import STATUSES, Examined

SCHEMA = "triage.job/1"
NAME = "triage-job.json"
LARGEST = 8 << 20  # bytes of one file
MOST = 50  # jobs of one run


def as_data(found: Examined) -> dict[str, Any]:
    """``triage.job/1``."""
    return {
        "schema": SCHEMA,
        "job": found.job._asdict(),
        "status": found.status,
        "cases": [_case(case, found) for case in found.cases],
        "reports": [as_dict(report) for report in found.reports],
    }


def _case(case: Case, found: Examined) -> dict[str, Any]:
    """A case names its incident by its place: report, then incident in it."""
    places = (
        (place, index)
        for place, report in enumerate(found.reports)
        for index, incident in enumerate(report.diagnosis.incidents)
        if incident is case.incident
    )
    report, incident = next(places)
    standing = case.standing._asdict() if case.standing else None
    return {"report": report, "incident": incident, "url": case.url, "standing": standing}


def read_folder(folder: str) -> Iterator[tuple[str, Examined]]:
    """Every job that was handed over in a folder or below it, with the path of its file.

    Raises:
        InputError: there is none, or one of them is not what it claims to be.
    """
    paths = [folder] if os.path.isfile(folder) else sorted(_paths(folder))
    if not paths:
        raise InputError(f"{folder} holds no {NAME}. Write one with: triage ci report LOG --out {folder}")
    if len(paths) > MOST:
        raise InputError(f"{folder} holds {len(paths)} jobs; at most {MOST} are read. Name fewer.")
    for path in paths:
        yield path, from_data(_loaded(path), path)


def _paths(folder: str) -> Iterator[str]:
    for base, subfolders, names in os.walk(folder):
        subfolders.sort()
        if NAME in names:
            yield os.path.join(base, NAME)


def _loaded(path: str) -> Any:
    """The JSON of a file that is a file: no link, no pipe, not too large."""
    try:
        with open(
            os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)), "rb"
        ) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                raise InputError(f"{path} is no plain file of at most {LARGEST >> 20} MiB; it is not read.")
            return json.loads(file.read(LARGEST + 1))
    except OSError as fault:
        raise InputError(f"{path} cannot be read: {fault.strerror}.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON. Write it anew with: triage ci report LOG --out FOLDER") from None


def from_data(body: Any, path: str) -> Examined:
    """A job from ``triage.job/1``. Raises InputError with the place that does not fit."""
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise InputError(f"{path} is no {SCHEMA}. Use the same version of triage in both stages.")
    status = body.get("status")
    if status not in STATUSES or not isinstance(body.get("reports"), list) or not isinstance(body.get("cases"), list):
        raise InputError(f"{path}: status, reports and cases must be there. Write it anew with triage ci report.")
    reports = tuple(report_from(report) for report in body["reports"][:MOST])
    cases = tuple(_case_from(case, reports, path) for case in body["cases"][:MOST])
    return Examined(_job_from(body.get("job"), path), status, reports, cases)


def _case_from(body: Any, reports: tuple[Report, ...], path: str) -> Case:
    try:
        report, incident = reports[_place(body["report"])], _place(body["incident"])
        standing = _standing_from(body.get("standing"), path)
        return Case(_incident(report, incident), report.source, standing, changed=report.changed)
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{path}: a case names no incident of the reports.") from None


def _place(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _incident(report: Report, place: int) -> Incident:
    return report.diagnosis.incidents[place]


def _standing_from(body: object, path: str) -> Standing | None:
    if body is None:
        return None
    fields = body if isinstance(body, dict) else {}
    numbers = [fields.get(name) for name in ("builds", "of")]
    if fields.get("section") not in HEADINGS or not isinstance(fields.get("why"), str):
        raise InputError(f"{path}: a standing needs a section ({', '.join(HEADINGS)}) and why.")
    builds, of = (number if type(number) is int and 0 <= number < 1 << 31 else 0 for number in numbers)
    return Standing(fields["section"], plain(fields["why"][:1000]), fields.get("retry") is True, builds, of)


def _job_from(body: object, path: str) -> Job:
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    texts = {
        name: plain(value[:500])
        for name, value in fields.items()
        if name in Job._fields and name not in ("attempt", "trusted") and isinstance(value, str)
    }
    if not texts.get("system") or not texts.get("name"):
        raise InputError(f"{path}: the job needs a system and a name.")
    attempt = fields.get("attempt")
    return Job(**texts, attempt=attempt if type(attempt) is int and 0 < attempt < 10_000 else 1, trusted=False)


def belonging(handed: Examined, here: Job, path: str) -> Examined:
    """What was handed over, as a job of the run that we were started for.

    Only its name and its reports are taken from it: where to write, for whom and about which commit is what our
    own environment says.

    Raises:
        InputError: it is from another run, commit or repository.
    """
    theirs = handed.job
    for what, have, want in (
        ("run", theirs.run, here.run), ("commit", theirs.commit, here.commit),
        ("repository", theirs.repository, here.repository),
    ):  # fmt: skip
        if want and have != want:
            raise InputError(
                f"{path} is of {what} {have or 'unknown'}, but this stage was started for {what} {want}. Not posted: "
                "hand over what the run itself has left."
            )
    return handed._replace(job=here._replace(name=theirs.name, attempt=max(here.attempt, 1)))
