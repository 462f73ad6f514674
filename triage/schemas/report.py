"""``triage.report/1``: what ``--format json`` writes for one input."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_LINE = {"type": "integer", "minimum": 1}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


_CAUSE = _object(
    {
        "id": _TEXT,
        "verdict": {"enum": ["named", "likely", "unknown"]},
        "by": _TEXT,
        "evidence": {"type": "array", "items": _object({"line": _LINE, "text": _TEXT})},
        "captures": {"type": "object", "additionalProperties": _TEXT},
        "why": _TEXT,
        "fixes": {
            "type": "array",
            "items": _object({"id": _TEXT, "title": _TEXT, "safety": {"enum": ["safe", "unsafe", "manual"]}}),
        },
    }
)
_SIGNATURE = {
    **_object({"version": _TEXT, "hash": _TEXT, "template": _TEXT, "kept": {"type": "object"}}),
    "type": ["object", "null"],
}
_SIMILAR = _object(
    {
        "id": _TEXT,
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "cause": _TEXT,
        "state": _TEXT,
        "fix": _MAYBE,
        "why": _TEXT,
    }
)
_COUNT = {"type": "integer", "minimum": 0}
_SEEN = {
    **_object(
        {
            "group": _TEXT,
            "state": _TEXT,
            "times": _COUNT,
            "first": _TEXT,
            "last": _TEXT,
            "builds": _COUNT,
            "of": _COUNT,
        },
        owner=_MAYBE,
        note=_MAYBE,
        confirmed=_MAYBE,
        fix=_MAYBE,
    ),
    "type": ["object", "null"],
}
_INCIDENT = _object(
    {
        "id": _MAYBE,
        "tool": _TEXT,
        "tool_version": _MAYBE,
        "stage": _MAYBE,
        "component": _MAYBE,
        "model": _MAYBE,
        "precision": _MAYBE,
        "engine_version": _MAYBE,
        "facts": {"type": "object"},
        "signature": _SIGNATURE,
        "span": {"type": "array", "items": _LINE, "minItems": 2, "maxItems": 2},
        "consequence_of": {"type": ["integer", "null"], "minimum": 0},
        "causes": {"type": "array", "items": _CAUSE},
        "ruled_out": {"type": "array", "items": _object({"id": _TEXT, "why": _TEXT})},
        "similar": {"type": "array", "items": _SIMILAR},
    },
    seen=_SEEN,
    consequences={"type": "array", "items": _LINE},
    needed=_MAYBE,
)

_CHANGED = _object(
    {
        "sentence": _TEXT,
        "baseline": _TEXT,
        "worked": _TEXT,
        "new_lines": {"type": "array", "items": _object({"line": _LINE, "text": _TEXT, "times": _COUNT})},
        "differences": {
            "type": "array",
            "items": _object({"kind": _TEXT, "name": _TEXT, "before": _MAYBE, "after": _MAYBE}),
        },
    }
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "triage report, version 1",
    **_object(
        {
            "schema": {"const": "triage.report/1"},
            "source": _TEXT,
            "failure": {"type": "boolean"},
            "verdict": {"enum": ["named", "likely", "unknown", "no-failure"]},
            "primary": {"type": ["integer", "null"], "minimum": 0},
            "incidents": {"type": "array", "items": _INCIDENT},
            "environment": {"type": "object"},
            "cut": {"type": ["object", "null"]},
        },
        changed=_CHANGED,
    ),
}
