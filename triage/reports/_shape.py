"""The report as the published JSON shape, version 1. All outputs start here."""

from __future__ import annotations

from typing import Any

from triage.records import Cause, Incident, Report

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
        "incidents": [_incident(incident) for incident in diagnosis.incidents],
        "environment": dict(diagnosis.environment),
        "cut": diagnosis.cut,
    }


def _incident(incident: Incident) -> dict[str, Any]:
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
        "similar": list(incident.similar),
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
