"""``triage.job/1``: what ``triage ci`` leaves in a folder for the next stage and for other programs."""

from __future__ import annotations

from typing import Any

from triage.schemas.report import SCHEMA as REPORT

_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_SECTIONS = ["change", "flaky", "main", "infrastructure", "unknown"]
_JOB = (
    "host", "api", "repository", "commit", "branch", "base", "default_branch", "change", "run", "job", "run_url",
)  # fmt: skip


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_STANDING = _object(
    {"section": {"enum": _SECTIONS}, "why": _TEXT, "retry": {"type": "boolean"}, "builds": _COUNT, "of": _COUNT}
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "triage job, version 1",
    **_object(
        {
            "schema": {"const": "triage.job/1"},
            "job": _object(
                {
                    "system": _TEXT,
                    "name": _TEXT,
                    **dict.fromkeys(_JOB, _MAYBE),
                    "attempt": {"type": "integer", "minimum": 1},
                    "trusted": {"type": "boolean"},
                }
            ),
            "status": {"enum": ["failure", "success", "cancelled"]},
            "cases": {
                "type": "array",
                "items": _object(
                    {
                        "report": _COUNT,
                        "incident": _COUNT,
                        "url": _MAYBE,
                        "standing": {"anyOf": [{"type": "null"}, _STANDING]},
                    }
                ),
            },
            "reports": {"type": "array", "items": {key: part for key, part in REPORT.items() if key != "$schema"}},
        }
    ),
}
