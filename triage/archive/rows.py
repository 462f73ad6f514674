"""What is filed, and the rows it becomes: columns that every database takes, ids derived from content."""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from triage.archive.vault import Packed, compress
from triage.archive.words import version_key, words
from triage.records import Incident as Failure
from triage.records import Origin

LONGEST_WORD = 200
_NO_ORIGIN = Origin()


class NewIncident(NamedTuple):
    """One incident to file: the record, its text for learning, and its JSON shape."""

    failure: Failure
    text: str
    body: Mapping[str, Any]


class NewBuild(NamedTuple):
    """One run to file. ``key`` tells runs apart whose logs are the same; empty where nothing does."""

    source: str
    at: datetime
    outcome: str
    incidents: Sequence[NewIncident]
    rules_version: str
    log: Packed | None = None
    origin: Origin = _NO_ORIGIN
    environment: Mapping[str, Any] | None = None
    key: str = ""
    model: str | None = None
    stage: str | None = None
    target: str | None = None
    command: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    seconds: float | None = None
    exit_code: int | None = None
    prints: bytes | None = None


class PreparedIncident(NamedTuple):
    """An incident's rows, all but the numbers that the database gives."""

    uid: str
    signature: tuple[str, str]
    row: Mapping[str, Any]
    detail: Mapping[str, Any]
    group: Mapping[str, Any]


class Prepared(NamedTuple):
    """A run's rows: made before a transaction begins, so that others wait less for its end."""

    key: str
    row: Mapping[str, Any]
    log: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None
    incidents: tuple[PreparedIncident, ...]


def prepare(builds: Sequence[NewBuild]) -> list[Prepared]:
    """Rows of runs."""
    return [_prepared(build_key(build), build) for build in builds]


def _prepared(key: str, build: NewBuild) -> Prepared:
    environment = plain_data(build.environment) if build.environment else None
    return Prepared(
        key=key,
        row=build_row(key, build),
        log=build.log._asdict() if build.log else None,
        environment={"digest": environment_digest(build.environment), "data": environment} if environment else None,
        incidents=tuple(_prepared_incident(key, n, item, build) for n, item in enumerate(build.incidents)),
    )


def _prepared_incident(key: str, position: int, item: NewIncident, build: NewBuild) -> PreparedIncident:
    name, signature, origin = uid("i", key, position), signature_of(item.failure), build.origin
    columns = incident_columns(item)
    row = {
        **columns, "uid": name, "position": position, "at": build.at,
        "log_digest": build.log.digest if build.log else None, "model": columns["model"] or clip(build.model),
        "rules_version": build.rules_version, "host": clip(origin.host), "ci": clip(origin.ci),
        "repository": clip(origin.repository), "branch": clip(origin.branch), "commit": clip(origin.commit),
    }  # fmt: skip
    detail = {"body": packed_body(item.body), "words": search_words(item, build)}
    return PreparedIncident(name, signature, row, detail, group_row(group_uid(*signature), build, item))


def uid(kind: str, *parts: object) -> str:
    """An id that people can type: ``i-`` or ``g-`` and twelve letters, from 60 bits of a hash."""
    digest = sha256("\n".join(str(part) for part in parts).encode()).digest()
    return f"{kind}-{b32encode(digest[:8]).decode()[:12].lower()}"


def build_key(build: NewBuild) -> str:
    """Names a run: its log and what tells it from other runs with the same log."""
    origin = build.origin
    parts = (build.log.digest if build.log else build.source, origin.repository, origin.run_url, origin.job, build.key)
    return sha256("\n".join(str(part or "") for part in parts).encode("utf-8", "replace")).hexdigest()


def group_uid(version: str, digest: str) -> str:
    """Id of the group that a signature makes."""
    return uid("g", version, digest)


def cause_of(failure: Failure) -> tuple[str, str]:
    """Cause and verdict of a failure, as lists show them."""
    return (failure.causes[0].id, failure.causes[0].verdict) if failure.causes else ("unknown", "unknown")


def signature_of(failure: Failure) -> tuple[str, str]:
    """Version and hash of a failure's signature; of one without a line, its tool and stage stand in."""
    signature = failure.signature
    return (signature.version, signature.hash) if signature else ("none", uid("s", failure.tool, failure.stage)[:16])


def environment_digest(data: Mapping[str, Any] | None) -> str:
    """Names a fingerprint by its content."""
    return sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


def clip(value: str | None) -> str | None:
    """A word that fits its column."""
    return storable(value)[:LONGEST_WORD] if value else None


def storable(text: str) -> str:
    """Text that every database takes: no halves of characters, no zeros (file names may hold both)."""
    if text.isascii():
        return text.replace("\0", "?") if "\0" in text else text
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def plain_data(data: Any) -> Any:
    """The same of everything in a nested mapping."""
    if isinstance(data, Mapping):
        return {storable(str(key)): plain_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain_data(value) for value in data]
    return storable(data) if isinstance(data, str) else data


def build_row(key: str, build: NewBuild) -> dict[str, Any]:
    """A run as its row."""
    origin = build.origin
    return {
        "key": key, "at": build.at, "outcome": build.outcome, "source": storable(build.source),
        "model": clip(build.model),
        "stage": clip(build.stage), "target": clip(build.target), "seconds": build.seconds,
        "command": plain_data(build.command) if build.command else None,
        "parameters": plain_data(build.parameters) if build.parameters else None,
        "exit_code": build.exit_code, "log_digest": build.log.digest if build.log else None,
        "environment_digest": environment_digest(build.environment) if build.environment else None,
        "prints": build.prints,
        "host": clip(origin.host), "ci": clip(origin.ci), "repository": clip(origin.repository),
        "branch": clip(origin.branch), "commit": clip(origin.commit),
        "run_url": origin.run_url and storable(origin.run_url),
        "job": clip(origin.job),
    }  # fmt: skip


def incident_columns(item: NewIncident) -> dict[str, Any]:
    """What a diagnosis says of an incident, by column."""
    failure = item.failure
    cause, verdict = cause_of(failure)
    version, digest = signature_of(failure)
    return {
        "tool": clip(failure.tool), "tool_version": clip(failure.tool_version),
        "tool_key": version_key(failure.tool_version), "engine_version": clip(failure.engine_version),
        "engine_key": version_key(failure.engine_version), "stage": clip(failure.stage),
        "component": clip(failure.component), "model": clip(failure.model), "precision": clip(failure.precision),
        "cause": clip(cause), "verdict": verdict, "rule": clip(failure.causes[0].by if failure.causes else "none"),
        "signature_version": version, "signature_hash": digest, "line": failure.span[0],
    }  # fmt: skip


def group_row(name: str, build: NewBuild, item: NewIncident) -> dict[str, Any]:
    """The group that a new signature makes."""
    failure = item.failure
    cause, verdict = cause_of(failure)
    return {
        "uid": name, "tool": clip(failure.tool), "stage": clip(failure.stage),
        "template": storable(failure.signature.template) if failure.signature else "",
        "text": storable(item.text), "cause": clip(cause),
        "verdict": verdict, "state": "new", "first_seen": build.at, "last_seen": build.at, "count": 0,
    }  # fmt: skip


def search_words(item: NewIncident, build: NewBuild) -> str:
    """What free text finds an incident by: its evidence, model, source, component."""
    failure = item.failure
    lines = [line.text for cause in failure.causes[:1] for line in cause.evidence[:4]]
    return words(" ".join((failure.model or build.model or "", failure.component or "", build.source[:300], *lines)))


def packed_body(body: Mapping[str, Any]) -> bytes:
    """An incident's JSON as it is stored."""
    return compress(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
