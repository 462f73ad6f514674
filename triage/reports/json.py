"""The report as one JSON document; several inputs make a list."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._repair import repair_dict
from triage.reports._shape import as_dict

MEDIA_TYPE = "application/json"
FILE = "report.json"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """JSON, indented, keys in the published order."""
    shaped = [as_dict(report) for report in reports]
    return dumps(shaped[0] if len(shaped) == 1 else shaped, ensure_ascii=False, indent=1) + "\n"


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as JSON, ``triage.remediation/1``."""
    return dumps(repair_dict(done, report), ensure_ascii=False, indent=1) + "\n"


def settled(text: str) -> int:
    """How much of a rendered report does not wait for the archive: all before its incidents."""
    start = text.find('"incidents":')
    return start if start >= 0 else len(text)
