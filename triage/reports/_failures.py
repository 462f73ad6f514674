"""The independent failures of many reports: each once, the surest first, their text clean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from triage.ingest.text import plain
from triage.records import Cause, Incident, Report

VERDICTS = ("named", "likely", "unknown")


class Failure(NamedTuple):
    """One failure, the report that shows it, and the names of all logs that have it."""

    report: Report
    incident: Incident
    sources: tuple[str, ...]

    @property
    def cause(self) -> Cause:
        """The best cause."""
        return self.incident.causes[0]

    @property
    def key(self) -> str:
        """What makes it one and the same in other logs and other runs: cause and signature."""
        return key_of(self.incident)


def key_of(incident: Incident) -> str:
    """Cause and signature of an incident; its first decisive line where there is no signature."""
    cause = incident.causes[0]
    text = cause.evidence[0].text if cause.evidence else ""
    return f"{cause.id} {incident.signature.hash if incident.signature else text}"


def failures(reports: Sequence[Report]) -> list[Failure]:
    """Named ones first, then likely and unknown ones; within these in the order of the logs."""
    found: dict[str, Failure] = {}
    for report in reports:
        for incident in independent(report):
            key = key_of(incident)
            if key not in found:
                found[key] = Failure(report, incident, (report.source,))
            elif report.source not in found[key].sources:
                found[key] = found[key]._replace(sources=(*found[key].sources, report.source))
    return sorted(found.values(), key=lambda one: _rank(one.cause.verdict))


def independent(report: Report) -> list[Incident]:
    """The failures of a report that follow from no other, its primary one first."""
    diagnosis = report.diagnosis
    if not diagnosis.failure or diagnosis.primary is None:
        return []
    first = diagnosis.incidents[diagnosis.primary]
    rest = [one for one in diagnosis.incidents if one is not first and one.consequence_of is None]
    return [one for one in (first, *rest) if one.causes]


def _rank(verdict: str) -> int:
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)


def clean(text: str, limit: int = 2000) -> str:
    """Text of a log, a bundle or a host for any medium: one line, no control characters, no halves of letters.

    Whatever is printed in a job is searched for ``##[command]``, anywhere in a line.
    """
    text = plain(text.encode("utf-8", "replace").decode("utf-8")).replace("##[", "#\u200b#[")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def harmless(text: str) -> str:
    """A CI system takes what is printed for commands: ``::name::`` where a line begins, ``##[name]`` anywhere."""
    if "##[" in text:
        text = text.replace("##[", "#\u200b#[")
    return re.sub(r"(?m)^([ \t]*):(?=:)", "\\1:\u200b", text) if "::" in text else text


def about(incident: Incident) -> str:
    """Tool, stage, model and precision in a few words."""
    tool = f"{incident.tool} {incident.tool_version or ''}".strip()
    return clean(" · ".join(part for part in (tool, incident.stage, incident.model, incident.precision) if part), 300)
