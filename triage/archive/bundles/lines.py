"""The lines of a bundle as records: what a build, a group, a confirmation … brings along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from triage.archive.bundles.columns import Broken, columns_of, decode
from triage.archive.states import STATES
from triage.archive.tables import Build, Confirmation, Group, History, Incident, Log

# what is left out is local (numbers), derived when the row is made, or written beside it under another name
BUILD = columns_of(Build, "id", "log_digest", "environment_digest")
FROM_BUILD = ("at", "log_digest", "host", "ci", "repository", "branch", "commit")
INCIDENT = columns_of(Incident, "id", "build_id", "group_id", "tool_key", "engine_key", *FROM_BUILD)
GROUP = columns_of(Group, "id", "count", "merged_into")
CONFIRMATION = columns_of(Confirmation, "id", "incident_id", "group_id")
HISTORY = columns_of(History, "id", "group_id", "incident_id")
LOG = columns_of(Log, "body")
OUTCOMES = ("failed", "passed")
VERDICTS = ("named", "likely", "unknown")
DIGEST = re.compile(r"[0-9a-f]{64}")
UID = re.compile(r"[ig]-[a-z2-7]{12}")
_BAD = re.compile("[\x00\ud800-\udfff]")


class IncidentLine(NamedTuple):
    """An incident, the id of its group, its JSON shape and its search words."""

    row: dict[str, Any]
    group: str
    body: dict[str, Any]
    words: str


class BuildLine(NamedTuple):
    """A run with its incidents. ``log`` is the digest of its log, which may have stayed behind."""

    row: dict[str, Any]
    log: str | None
    environment: dict[str, Any] | None
    incidents: tuple[IncidentLine, ...]


class Sign(NamedTuple):
    """A signature that leads to a group; ``home`` is the group that it made."""

    version: str
    hash: str
    home: str


class GroupLine(NamedTuple):
    """A group, where it was merged into, and the signatures that lead to it."""

    row: dict[str, Any]
    merged_into: str | None
    signatures: tuple[Sign, ...]


class ConfirmationLine(NamedTuple):
    """A person's verdict on an incident."""

    row: dict[str, Any]
    incident: str


class HistoryLine(NamedTuple):
    """What happened to a group or an incident."""

    row: dict[str, Any]
    group: str | None
    incident: str | None


class LogLine(NamedTuple):
    """A log that travels: what the archive knows of it, and the checksum of its packed bytes."""

    row: dict[str, Any]
    sha256: str
    bytes: int


def parse(line: bytes) -> dict[str, Any]:
    """One line of JSON, strictly. Raises Broken."""
    try:
        data = json.loads(line.decode(), parse_constant=_constant, parse_float=_float)
    except RecursionError:
        raise Broken("is nested too deeply") from None
    if not isinstance(data, dict):
        raise Broken("is no object")
    if b"\\u" in line:
        _refuse_bad(data)
    return data


def _constant(name: str) -> float:
    raise Broken(f"{name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Broken(f"{text} is too large")
    return value


def _refuse_bad(value: Any) -> None:
    if isinstance(value, str) and _BAD.search(value):
        raise Broken("holds a text that no database can keep")
    if isinstance(value, list):
        for item in value:
            _refuse_bad(item)
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_bad(name)
            _refuse_bad(item)


def build_line(data: Mapping[str, Any]) -> BuildLine:
    """A build and its incidents from JSON. Raises Broken."""
    _only(data, {*BUILD, "log", "environment", "incidents"})
    environment = data.get("environment")
    if environment is not None and not isinstance(environment, dict):
        raise Broken("environment is no object")
    incidents = tuple(_incident(item) for item in _list(data, "incidents"))
    if len({one.row["position"] for one in incidents}) != len(incidents):
        raise Broken("two incidents have one position")
    row = decode(BUILD, data)
    _fits(DIGEST, "key", row["key"])
    _one_of(OUTCOMES, "outcome", row["outcome"])
    return BuildLine(row, _maybe(DIGEST, data, "log"), environment, incidents)


def _incident(data: Any) -> IncidentLine:
    if not isinstance(data, dict):
        raise Broken("an incident is no object")
    _only(data, {*INCIDENT, "group", "body", "words"})
    row = decode(INCIDENT, data)
    _fits(UID, "uid", row["uid"])
    _one_of(VERDICTS, "verdict", row["verdict"])
    if not isinstance(data.get("body"), dict) or not isinstance(data.get("words"), str):
        raise Broken("an incident has no body or no words")
    return IncidentLine(row, _fits(UID, "group", data.get("group")), data["body"], data["words"])


def group_line(data: Mapping[str, Any]) -> GroupLine:
    """A group from JSON. Raises Broken."""
    _only(data, {*GROUP, "merged_into", "signatures"})
    row = decode(GROUP, data)
    _fits(UID, "uid", row["uid"])
    _one_of(VERDICTS, "verdict", row["verdict"])
    _one_of(STATES, "state", row["state"])
    signs = []
    for item in _list(data, "signatures"):
        if not isinstance(item, dict) or set(item) != {"version", "hash", "home"}:
            raise Broken("a signature needs version, hash and home")
        words = [item["version"], item["hash"]]
        if not all(isinstance(word, str) and 0 < len(word) <= 16 for word in words):
            raise Broken("a signature's version and hash are texts of at most 16 letters")
        signs.append(Sign(words[0], words[1], _fits(UID, "home", item["home"])))
    return GroupLine(row, _maybe(UID, data, "merged_into"), tuple(signs))


def confirmation_line(data: Mapping[str, Any]) -> ConfirmationLine:
    """A confirmation from JSON. Raises Broken."""
    _only(data, {*CONFIRMATION, "incident"})
    return ConfirmationLine(decode(CONFIRMATION, data), _fits(UID, "incident", data.get("incident")))


def history_line(data: Mapping[str, Any]) -> HistoryLine:
    """A line of history from JSON. Raises Broken."""
    _only(data, {*HISTORY, "group", "incident"})
    return HistoryLine(decode(HISTORY, data), _maybe(UID, data, "group"), _maybe(UID, data, "incident"))


def log_line(data: Mapping[str, Any]) -> LogLine:
    """What is said of a log, from JSON. Raises Broken."""
    _only(data, {*LOG, "sha256", "bytes"})
    row = decode(LOG, data)
    _fits(DIGEST, "digest", row["digest"])
    if type(data.get("bytes")) is not int:
        raise Broken("bytes is no whole number")
    return LogLine(row, _fits(DIGEST, "sha256", data.get("sha256")), data["bytes"])


def _only(data: Mapping[str, Any], known: set[str]) -> None:
    strange = sorted(set(data) - known)
    if strange:
        raise Broken(f"has an unknown key {strange[0][:40]!r}")


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if not isinstance(value, list):
        raise Broken(f"{name} is no list")
    return value


def _fits(pattern: re.Pattern[str], name: str, value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Broken(f"{name} is no id of the right form: {value!r:.40}")
    return value


def _one_of(known: Iterable[str], name: str, value: str) -> None:
    if value not in known:
        raise Broken(f"{name} is {value!r:.40}; known are {', '.join(known)}")


def _maybe(pattern: re.Pattern[str], data: Mapping[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _fits(pattern, name, data[name])
