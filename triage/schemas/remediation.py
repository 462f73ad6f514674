"""``triage.remediation/1``: what ``triage fix --format json`` gives."""

from __future__ import annotations

from typing import Any

from triage.remedy import RESULTS, SAFETIES, STATUSES
from triage.schemas.report import SCHEMA as REPORT

_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_NUMBER = {"type": "number", "minimum": 0}
_COUNT = {"type": "integer", "minimum": 0}
_SAFETY = {"enum": list(SAFETIES)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_CHANGE = _object(
    {"path": _TEXT, "kind": {"enum": ["added", "modified", "removed", "renamed", "command"]}, "diff": _TEXT}
)
_PROOF = {
    "anyOf": [
        {"type": "null"},
        _object(
            {
                "verified": {"type": ["boolean", "null"]},
                "how": _TEXT,
                "reference": _TEXT,
                "numbers": _list({"type": "object"}),
            }
        ),
    ]
}
_ATTEMPT = _object(
    {
        "number": _COUNT,
        "parent": _COUNT,
        "fix": _TEXT,
        "what": _TEXT,
        "safety": _SAFETY,
        "parameters": {"type": "object"},
        "changes": _list(_CHANGE),
        "result": {"enum": list(RESULTS)},
        "why": _TEXT,
        "cause_before": _MAYBE,
        "cause_after": _MAYBE,
        "exit_code": {"type": ["integer", "null"]},
        "seconds": _NUMBER,
        "log": _MAYBE,
        "proof": _PROOF,
    }
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "triage.remediation/1",
    **_object(
        {
            "schema": {"const": "triage.remediation/1"},
            "name": _TEXT,
            "status": {"enum": list(STATUSES)},
            "verified": {"type": ["boolean", "null"]},
            "why": _TEXT,
            "cause": _MAYBE,
            "attempts": _list(_ATTEMPT),
            "path": _list(_COUNT),
            "changes": _list(_CHANGE),
            "proof": _PROOF,
            "by_hand": _list(_object({"fix": _TEXT, "title": _TEXT, "commands": _list(_TEXT)})),
            "skipped": _list(_object({"fix": _TEXT, "what": _TEXT, "safety": _SAFETY})),
            "output": _MAYBE,
            "command": _list(_TEXT),
            "seconds": _NUMBER,
            "interrupted": {"type": "boolean"},
            "incident": _MAYBE,
            "diagnosis": {"anyOf": [{"type": "null"}, REPORT]},
        }
    ),
}
