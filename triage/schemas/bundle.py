"""``triage.bundle/1``: the manifest of a bundle; the lines of its parts stand under ``$defs``."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_WORD = {"type": "string", "maxLength": 200}
_MAYBE = {"type": ["string", "null"]}
_MAYBE_WORD = {"type": ["string", "null"], "maxLength": 200}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_TRUTH = {"type": "boolean"}
_DATA = {"type": "object"}
_MAYBE_DATA = {"type": ["object", "null"]}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_MAYBE_DIGEST = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
_INCIDENT_ID = {"type": "string", "pattern": "^i-[a-z2-7]{12}$"}
_GROUP_ID = {"type": "string", "pattern": "^g-[a-z2-7]{12}$"}
_VERDICT = {"enum": ["named", "likely", "unknown"]}
_SHORT = {"type": "string", "minLength": 1, "maxLength": 16}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _words(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, _MAYBE_WORD)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_INCIDENT = _object(
    {
        "uid": _INCIDENT_ID,
        "position": _COUNT,
        "group": _GROUP_ID,
        "tool": _WORD,
        "cause": _WORD,
        "verdict": _VERDICT,
        "rule": _WORD,
        "rules_version": {"type": "string", "maxLength": 64},
        "signature_version": _SHORT,
        "signature_hash": _SHORT,
        "line": {"type": "integer"},
        "body": _DATA,
        "words": _TEXT,
    },
    **_words("tool_version", "engine_version", "stage", "component", "model", "precision"),
)
_BUILD = _object(
    {
        "key": _DIGEST,
        "at": _TIME,
        "outcome": {"enum": ["failed", "passed"]},
        "source": _TEXT,
        "incidents": {"type": "array", "items": _INCIDENT},
    },
    **_words("model", "stage", "target", "host", "ci", "repository", "branch", "commit", "job"),
    command=_MAYBE_DATA,
    parameters=_MAYBE_DATA,
    seconds={"type": ["number", "null"]},
    exit_code={"type": ["integer", "null"]},
    prints=_MAYBE,
    run_url=_MAYBE,
    log=_MAYBE_DIGEST,
    environment=_MAYBE_DATA,
)
_GROUP = _object(
    {
        "uid": _GROUP_ID,
        "tool": _WORD,
        "template": _TEXT,
        "text": _TEXT,
        "cause": _WORD,
        "verdict": _VERDICT,
        "state": {"enum": ["new", "known", "fixing", "verified", "closed", "reopened"]},
        "first_seen": _TIME,
        "last_seen": _TIME,
        "signatures": {"type": "array", "items": _object({"version": _SHORT, "hash": _SHORT, "home": _GROUP_ID})},
    },
    **_words("stage", "owner", "confirmed_cause", "confirmed_fix"),
    note=_MAYBE,
    verified_at=_MAYBE_TIME,
    merged_into=_or_null(_GROUP_ID),
)
_CONFIRMATION = _object(
    {
        "incident": _INCIDENT_ID,
        "at": _TIME,
        "actor": _WORD,
        "cause": _WORD,
        "rule": _WORD,
        "agreed": _TRUTH,
        "withdrawn": _TRUTH,
    },
    fix=_MAYBE_WORD,
    note=_MAYBE,
)
_HISTORY = _object(
    {"at": _TIME, "actor": _WORD, "kind": {"type": "string", "maxLength": 32}, "data": _DATA, "undone": _TRUTH},
    group=_or_null(_GROUP_ID),
    incident=_or_null(_INCIDENT_ID),
)
_LOG = _object(
    {"digest": _DIGEST, "size": _COUNT, "lines": _COUNT, "stored": _COUNT, "sha256": _DIGEST, "bytes": _COUNT},
    cut=_MAYBE_DATA,
)
_PARTS = (
    r"^(incidents|groups|confirmations|history|logs)\.jsonl$"
    r"|^rules/[a-z0-9][a-z0-9-]{0,99}/[a-z0-9][a-z0-9-]{0,99}\.ya?ml$"
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "manifest.json of a triage bundle, version 1",
    **_object(
        {
            "schema": {"const": "triage.bundle/1"},
            "origin": _object({"archive": _TEXT, "who": _TEXT, "host": _TEXT, "text": _TEXT}),
            "created": _TIME,
            "triage": _TEXT,
            "schema_revision": _TEXT,
            "rules_version": _TEXT,
            "counts": _object(
                dict.fromkeys(
                    ("builds", "incidents", "groups", "confirmations", "history", "logs", "rules"),
                    _COUNT,
                )
            ),
            "parts": {
                "type": "object",
                "propertyNames": {"pattern": _PARTS},
                "additionalProperties": _object({"sha256": _DIGEST, "bytes": _COUNT}),
                "required": ["incidents.jsonl", "groups.jsonl", "confirmations.jsonl"],
            },
            "checksum": _DIGEST,
        }
    ),
    "$defs": {
        "incidents.jsonl": _BUILD,
        "groups.jsonl": _GROUP,
        "confirmations.jsonl": _CONFIRMATION,
        "history.jsonl": _HISTORY,
        "logs.jsonl": _LOG,
    },
}
