"""Writing config.pbtxt: from plain values, and from what a model has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from triage.tritonrepo import schema
from triage.tritonrepo.lexer import quoted
from triage.tritonrepo.schema import FieldType
from triage.tritonrepo.words import closest_fields


def from_plain(values: Mapping[str, Any]) -> str:
    """A config of plain values (what JSON and YAML hold); misspelt names stay as they are."""
    return "\n".join(_lines(values, schema.ROOT, "")).rstrip() + "\n"


def tensor(name: str, data_type: str, dims: tuple[int, ...] | list[int], indent: str = "  ", more: str = "") -> str:
    """The message of an input or output, in braces."""
    lines = [f"name: {quoted(name)}", f"data_type: {data_type}", f"dims: {numbers(dims)}", *filter(None, [more])]
    return "{\n" + "".join(f"{indent}  {line}\n" for line in lines) + indent + "}"


def numbers(values: tuple[int, ...] | list[int]) -> str:
    """A list of numbers."""
    return f"[ {', '.join(str(value) for value in values)} ]" if values else "[ ]"


def _lines(values: Mapping[str, Any], message: str, indent: str) -> Iterator[str]:
    known = schema.fields(message) if message else {}
    for key, value in values.items():
        field = known.get(key) or _meant(key, known)
        if value is not None:
            yield from _field(str(key), value, field, indent)


def _meant(key: str, known: Mapping[str, FieldType]) -> FieldType | None:
    near = closest_fields(str(key), known)
    return known[near[0][0]] if near else None


def _field(key: str, value: Any, known: FieldType | None, indent: str) -> Iterator[str]:
    inner = known.type if known is not None and known.kind == "message" else ""
    if isinstance(value, Mapping) and known is not None and known.map and not {"key", "value"} >= set(value):
        for name, each in value.items():
            held = _map_value(each, schema.fields(inner)["value"])
            yield f"{indent}{key} {{ key: {quoted(str(name))} value: {held} }}"
    elif isinstance(value, Mapping):
        yield f"{indent}{key} {{"
        yield from _lines(value, inner, indent + "  ")
        yield f"{indent}}}"
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for each in value:
            yield from _field(key, each, known, indent)
    elif isinstance(value, list):
        yield f"{indent}{key}: [ {', '.join(_scalar(each, known) for each in value)} ]"
    else:
        yield f"{indent}{key}: {_scalar(value, known)}"


def _map_value(value: Any, known: FieldType) -> str:
    if known.kind == "message":
        if isinstance(value, Mapping):
            return "{ " + " ".join(line.strip() for line in _lines(value, known.type, "")) + " }"
        one = next(iter(schema.fields(known.type).values()))
        return f"{{ {one.name}: {_scalar(value, one)} }}"
    return _scalar(value, known)


def _scalar(value: Any, known: FieldType | None) -> str:
    if isinstance(value, bool):
        said = "true" if value else "false"
        return quoted(said) if known is not None and known.kind == "string" else said
    if isinstance(value, int | float):
        return quoted(str(value)) if known is not None and known.kind == "string" else str(value)
    if value is None:
        return "-1" if known is not None and known.repeated else '""'
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if known is not None and known.kind in ("enum", "whole", "bool", "float") and text else quoted(text)
