"""A config written in another language: JSON or YAML, as one edit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triage.tritonrepo import schema
from triage.tritonrepo.mends import SYNTAX, Offer, Piece
from triage.tritonrepo.parse import Parsed
from triage.tritonrepo.words import closest_fields
from triage.tritonrepo.writing import from_plain

_LARGEST = 1 << 20


def offers(parsed: Parsed) -> Iterator[Offer]:
    """The whole file as protobuf text, where it reads as JSON or YAML with fields that are known."""
    text = parsed.text
    if len(text) > _LARGEST or not text.strip():
        return
    read = _read(text)
    if read is None:
        return
    known = schema.fields(schema.ROOT)
    fitting = sum(bool(closest_fields(str(key), known)) for key in read)
    if fitting < 2 or fitting < 0.6 * len(read):
        return
    language = "JSON" if text.lstrip().startswith("{") else "YAML"
    yield Offer(
        1.0,
        f"write the file as protobuf text instead of {language}",
        SYNTAX,
        (Piece(0, len(text), _written(text, read)),),
    )


def _read(text: str) -> dict[str, Any] | None:
    import yaml

    try:
        read = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and all(isinstance(key, str) for key in read) else None


def _written(text: str, read: dict[str, Any]) -> str:
    """The comments above the first line are kept."""
    head = []
    for line in text.split("\n"):
        if not line.startswith("#"):
            break
        head.append(line + "\n")
    return "".join(head) + from_plain(read)
