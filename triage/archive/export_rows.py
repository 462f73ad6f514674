"""Found incidents and groups -> plain rows: for JSON and CSV, and as events of the Elastic Common Schema.

All text is cleaned once more: no control characters, no secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from triage.archive.filters import TEXT, Filter
from triage.archive.finding import Hit
from triage.archive.group_list import GroupHit
from triage.archive.tables import Detail
from triage.archive.vault import decompress
from triage.archive.words import words
from triage.ingest.text import plain

ECS_VERSION = "8.17.0"
_LABELS = ("group", "state", "verdict", "stage", "component", "model", "precision", "engine_version", "owner",
           "confirmed", "ci", "repository", "branch", "commit", "signature", "signature_version")  # fmt: skip


class Told(NamedTuple):
    """What the log said: the decisive line that fits best, its number, and why it is this cause."""

    text: str
    line: int | None
    why: str


def told(connection: Connection, hits: Sequence[Hit], chosen: Filter) -> dict[int, Told]:
    """The decisive line of each incident, by row number; the one that holds searched words comes first."""
    wanted = [term.values[0].text for term in chosen.terms if term.key == TEXT and not term.negated]
    rows = connection.execute(
        select(Detail.incident_id, Detail.body).where(Detail.incident_id.in_([hit.number for hit in hits]))
    )
    return {row[0]: _told(json.loads(decompress(row[1])), wanted) for row in rows}


def _told(body: Mapping[str, Any], wanted: Sequence[str]) -> Told:
    cause = (body.get("causes") or [{}])[0]
    lines = cause.get("evidence") or [{"text": "", "line": None}]
    best = max(lines, key=lambda line: sum(phrase in words(line["text"]) for phrase in wanted))
    return Told(best["text"], best["line"], cause.get("why") or "")


def as_row(hit: Hit | GroupHit, more: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A row for people's programs: the fields of the record without its number, times in ISO 8601."""
    fields = {**hit._asdict(), **(more or {})}
    return {name: _clean(value) for name, value in fields.items() if name != "number"}


def as_event(hit: Hit, said: Told | None) -> dict[str, Any]:
    """An incident as an event of the Elastic Common Schema, nested, without empty fields."""
    fields = as_row(hit)
    rule = fields["rule"].removeprefix("rule:") if fields["rule"] != "none" else None
    event = {
        "@timestamp": fields["at"],
        "ecs": {"version": ECS_VERSION},
        "message": f"{fields['cause']}: {plain(said.text)}" if said and said.text else fields["cause"],
        "event": {
            "id": fields["id"], "kind": "event", "category": ["process"], "type": ["end"], "outcome": "failure",
            "module": "triage", "dataset": "triage.incident", "provider": "triage", "action": "incident-filed",
            "reason": plain(said.why) if said else None, "url": fields["run_url"],
        },
        "error": {"type": fields["cause"], "message": plain(said.text) if said else None},
        "service": {"name": fields["tool"], "version": fields["tool_version"]},
        "host": {"name": fields["host"]},
        "log": {"file": {"path": fields["source"]}},
        "rule": {"id": rule, "name": rule, "version": fields["rules_version"] if rule else None},
        "labels": {**{name: fields[name] for name in _LABELS}, "line": str(fields["line"])},
    }  # fmt: skip
    return _filled(event)


def group_as_event(hit: GroupHit) -> dict[str, Any]:
    """A group as an event of the Elastic Common Schema: the state of a failure that may happen again."""
    fields = as_row(hit)
    return _filled(
        {
            "@timestamp": fields["last_seen"],
            "ecs": {"version": ECS_VERSION},
            "message": f"{fields['cause']}: {fields['template']}",
            "event": {
                "id": fields["id"], "kind": "state", "category": ["process"], "type": ["info"], "outcome": "failure",
                "module": "triage", "dataset": "triage.group", "provider": "triage",
                "start": fields["first_seen"], "end": fields["last_seen"],
            },
            "error": {"type": fields["confirmed"] or fields["cause"], "message": fields["template"]},
            "service": {"name": fields["tool"]},
            "labels": {
                name: str(fields[name])
                for name in ("state", "verdict", "stage", "owner", "confirmed", "fix", "times", "builds")
                if fields[name] is not None
            },
        }
    )  # fmt: skip


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Without fields that hold nothing."""
    found = {name: _filled(part) if isinstance(part, dict) else part for name, part in fields.items()}
    return {name: part for name, part in found.items() if part not in (None, "", {})}


def _clean(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return plain(value) if isinstance(value, str) else value
