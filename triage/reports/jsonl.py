"""One report a line: for streams and log pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from triage.records import Report
from triage.reports._shape import as_dict

MEDIA_TYPE = "application/jsonl"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """Compact JSON, one input a line."""
    return "".join(dumps(as_dict(report), ensure_ascii=False, separators=(",", ":")) + "\n" for report in reports)
