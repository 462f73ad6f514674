"""One report a line: for streams and log pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._repair import repair_dict
from triage.reports._shape import as_dict

MEDIA_TYPE = "application/jsonl"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """Compact JSON, one input a line."""
    return "".join(dumps(as_dict(report), ensure_ascii=False, separators=(",", ":")) + "\n" for report in reports)


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as one line of JSON."""
    return dumps(repair_dict(done, report), ensure_ascii=False, separators=(",", ":")) + "\n"


def settled(text: str) -> int:
    """How much of a rendered report does not wait for the archive: all before its incidents."""
    start = text.find('"incidents":')
    return start if start >= 0 else len(text)
