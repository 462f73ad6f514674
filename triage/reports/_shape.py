"""The report as the published JSON shape, version 1. All outputs start here."""

from __future__ import annotations

from typing import Any

from triage.records import Cause, Changed, Incident, Report, Seen

SCHEMA = "triage.report/1"


def as_dict(report: Report) -> dict[str, Any]:
    """``triage.report/1`` as plain data."""
    diagnosis = report.diagnosis
    return {
        "schema": SCHEMA,
        "source": report.source,
        "failure": diagnosis.failure,
        "verdict": diagnosis.verdict,
        "primary": diagnosis.primary,
        "incidents": [incident_dict(incident) for incident in diagnosis.incidents],
        "environment": dict(diagnosis.environment),
        "cut": diagnosis.cut,
        **({"changed": _changed(report.changed)} if report.changed else {}),
    }


def _changed(changed: Changed) -> dict[str, Any]:
    return {
        "sentence": changed.sentence,
        "baseline": changed.baseline,
        "worked": changed.worked,
        "new_lines": [{"line": line, "text": text, "times": times} for line, text, times in changed.new_lines],
        "differences": [
            {"kind": kind, "name": name, "before": before, "after": after}
            for kind, name, before, after in changed.differences
        ],
    }


def incident_dict(incident: Incident) -> dict[str, Any]:
    """One incident in the published shape."""
    signature = incident.signature
    return {
        "id": incident.id,
        "tool": incident.tool,
        "tool_version": incident.tool_version,
        "stage": incident.stage,
        "component": incident.component,
        "model": incident.model,
        "precision": incident.precision,
        "engine_version": incident.engine_version,
        "facts": dict(incident.facts),
        "signature": None if signature is None else signature._asdict(),
        "span": list(incident.span),
        "consequence_of": incident.consequence_of,
        "consequences": list(incident.consequences),
        "causes": [_cause(cause) for cause in incident.causes],
        "ruled_out": [{"id": out.id, "why": out.why} for out in incident.ruled_out],
        "needed": incident.needed,
        "similar": [near._asdict() for near in incident.similar],
        "seen": None if incident.seen is None else incident.seen._asdict(),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "id": cause.id,
        "verdict": cause.verdict,
        "by": cause.by,
        "evidence": [{"line": line.line, "text": line.text} for line in cause.evidence],
        "captures": dict(cause.captures),
        "why": cause.why,
        "fixes": [fix._asdict() for fix in cause.fixes],
    }


def seen_words(seen: Seen) -> str:
    """How well this failure is known, in a sentence or two."""
    owner = f", owner {seen.owner}" if seen.owner else ""
    if seen.times <= 1 and not seen.confirmed:
        return f"This failure is new here{owner}."
    times = f"{seen.times:,} times" if seen.times != 1 else "once"
    said = f"Seen {times} since {seen.first[:10]}, in {seen.builds:,} of {seen.of:,} builds; state {seen.state}{owner}."
    if seen.confirmed:
        said += f" Confirmed by a person: {seen.confirmed}" + (f", cured by {seen.fix}." if seen.fix else ".")
    return said
