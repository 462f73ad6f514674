"""The manifest of a bundle: what it is, where it comes from, and the checksum of every part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from triage.archive.bundles.columns import Broken
from triage.archive.bundles.lines import parse
from triage.archive.bundles.sealed import Part

SCHEMA = "triage.bundle/1"
NAME = "manifest.json"
LARGEST = 16 << 20
INCIDENTS, GROUPS, CONFIRMATIONS, HISTORY, LOGS = (
    "incidents.jsonl", "groups.jsonl", "confirmations.jsonl", "history.jsonl", "logs.jsonl",
)  # fmt: skip
NEEDED = (INCIDENTS, GROUPS, CONFIRMATIONS)
LINES = (*NEEDED, HISTORY, LOGS)
COUNTED = ("builds", "incidents", "groups", "confirmations", "history", "logs", "rules")
LOG_FILE = re.compile(r"logs/([0-9a-f]{64})\.zst")
RULE_FILE = re.compile(r"rules/([a-z0-9][a-z0-9-]{0,99}/[a-z0-9][a-z0-9-]{0,99}\.ya?ml)")
_KEYS = ("schema", "origin", "created", "triage", "schema_revision", "rules_version", "counts", "parts", "checksum")


class Source(NamedTuple):
    """Where a bundle comes from: identity of the archive, who made it, on which host, and why."""

    archive: str
    who: str
    host: str
    text: str

    def words(self) -> str:
        """In one line."""
        return f"{self.who} on {self.host}" + (f": {self.text}" if self.text else "") + f" (archive {self.archive[:8]})"


class Manifest(NamedTuple):
    """What stands in ``manifest.json``. ``parts`` names all but the logs, which ``logs.jsonl`` vouches for."""

    origin: Source
    created: str
    triage: str
    schema_revision: str
    rules_version: str
    counts: Mapping[str, int]
    parts: Mapping[str, Part]

    @property
    def checksum(self) -> str:
        """Names the content: the same for every export of the same incidents, whoever made it and when."""
        lines = (f"{name} {part.sha256}\n" for name, part in sorted(self.parts.items()))
        return sha256("".join(lines).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA,
            "origin": self.origin._asdict(),
            "created": self.created,
            "triage": self.triage,
            "schema_revision": self.schema_revision,
            "rules_version": self.rules_version,
            "counts": dict(self.counts),
            "parts": {name: part._asdict() for name, part in sorted(self.parts.items())},
            "checksum": self.checksum,
        }

    def as_bytes(self) -> bytes:
        """As the part that is written."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=1).encode() + b"\n"


def read_manifest(data: bytes, revision: str) -> Manifest:
    """The manifest from JSON.

    Args:
        data: the part as it was read.
        revision: the newest schema that this program knows.

    Raises:
        Broken: no manifest, not consistent in itself, or written by a newer program.
    """
    raw = parse(data)
    _check_version(raw, revision)
    if set(raw) != set(_KEYS):
        raise Broken(f"the manifest must have the keys {', '.join(_KEYS)}")
    texts = ("created", "triage", "schema_revision", "rules_version", "checksum")
    origin = raw["origin"]
    if not all(isinstance(raw[name], str) for name in texts) or not _is_source(origin):
        raise Broken("the manifest does not say where it comes from")
    manifest = Manifest(
        origin=Source(**origin),
        created=raw["created"],
        triage=raw["triage"],
        schema_revision=raw["schema_revision"],
        rules_version=raw["rules_version"],
        counts=_counts(raw["counts"]),
        parts=_parts(raw["parts"]),
    )
    if manifest.checksum != raw["checksum"]:
        raise Broken("the manifest's checksum is not that of its parts")
    return manifest


def _check_version(raw: Mapping[str, Any], revision: str) -> None:
    schema = raw.get("schema")
    if not isinstance(schema, str) or not schema.startswith("triage.bundle/"):
        raise Broken("its manifest is none of a triage bundle")
    if schema != SCHEMA:
        raise Broken(f"is of the format {schema}; this triage reads {SCHEMA}. Update triage")
    written = raw.get("schema_revision")
    if isinstance(written, str) and written > revision:
        raise Broken(
            f"was made from an archive with schema {written}; this triage knows up to {revision}. Update triage"
        )


def _is_source(origin: Any) -> bool:
    return (
        isinstance(origin, dict)
        and set(origin) == set(Source._fields)
        and all(isinstance(value, str) for value in origin.values())
    )


def _counts(raw: Any) -> dict[str, int]:
    if not isinstance(raw, dict) or set(raw) != set(COUNTED) or not all(_is_size(value) for value in raw.values()):
        raise Broken(f"the manifest must count {', '.join(COUNTED)}")
    return raw


def _parts(raw: Any) -> dict[str, Part]:
    if not isinstance(raw, dict) or not set(NEEDED) <= set(raw):
        raise Broken(f"the manifest must name the parts {', '.join(NEEDED)}")
    parts = {}
    for name, said in raw.items():
        if name not in LINES and not RULE_FILE.fullmatch(name):
            raise Broken(f"has a part that bundles do not have: {name!r:.80}")
        if not isinstance(said, dict) or set(said) != set(Part._fields):
            raise Broken(f"the manifest says no checksum of {name}")
        if not isinstance(said["sha256"], str) or not _is_size(said["bytes"]):
            raise Broken(f"the manifest says no checksum of {name}")
        parts[name] = Part(said["sha256"], said["bytes"])
    return parts


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0
