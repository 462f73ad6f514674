"""GitLab's code quality report: what the merge request widget shows, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Any

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._failures import Failure, clean, failures
from triage.reports._places import Place, log_path, place_of
from triage.reports._words import headline

MEDIA_TYPE = "application/json"
FILE = "gl-code-quality-report.json"
WHOLE = True
_SEVERITY = {"named": "critical", "likely": "major", "unknown": "minor"}


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """A list of issues, each failure once; empty where nothing failed."""
    return dumps([_issue(one) for one in failures(reports)], ensure_ascii=False, indent=1) + "\n"


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """What failed: the cure stands on a copy until it is applied."""
    return render([report] if report else [])


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _issue(failure: Failure) -> dict[str, Any]:
    from hashlib import sha256

    cause = failure.cause
    first = cause.evidence[0].line if cause.evidence else 1
    place = place_of(cause) or Place(clean(log_path(failure.report.source), 500), max(first, 1))
    return {
        "description": f"{headline(failure)} {clean(cause.why, 600)}".strip(),
        "check_name": clean(cause.id, 100),
        "fingerprint": sha256(failure.key.encode("utf-8", "replace")).hexdigest()[:40],
        "severity": _SEVERITY.get(cause.verdict, "minor"),
        "location": {"path": place.path, "lines": {"begin": place.line}},
    }
