"""The messages of config.pbtxt as data: which fields there are, of which type, and how they are nested."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

ROOT = "ModelConfig"
WHOLE = ("int32", "int64", "uint32", "uint64")
_SCALARS = (*WHOLE, "string", "bool", "float", "double")
_LIMITS = {"int32": 31, "int64": 63, "uint32": 32, "uint64": 64}


class FieldType(NamedTuple):
    """A field of a message. ``kind`` is string, bool, whole, float, enum or message; ``type`` is its exact type."""

    name: str
    type: str
    kind: str
    repeated: bool = False
    map: bool = False
    oneof: str = ""

    @property
    def many(self) -> bool:
        """Whether it may be given more than once."""
        return self.repeated or self.map


def fields(message: str) -> dict[str, FieldType]:
    """The fields of a message, by name."""
    return _tables()[0][message]


def values(enum: str) -> dict[str, int]:
    """The values of an enumeration, by name."""
    return _tables()[1][enum]


def data_types() -> list[str]:
    """Every data type that a tensor may have."""
    return [name for name in values("DataType") if name != "TYPE_INVALID"]


def in_range(value: int, type_: str) -> bool:
    """Whether a whole number fits into its type."""
    bits = _LIMITS[type_]
    return 0 <= value < 1 << bits if type_.startswith("u") else -(1 << bits) <= value < 1 << bits


def is_entry(message: str) -> bool:
    """Whether it is the entry of a map: a key and a value."""
    return message.endswith("Entry")


@cache
def holders(field: str) -> tuple[str, ...]:
    """The messages that have a field of this name."""
    return tuple(name for name, held in _tables()[0].items() if field in held)


@cache
def ways(message: str, field: str, depth: int = 3) -> tuple[tuple[str, ...], ...]:
    """Fields that lead from a message down to those that hold ``field``, shortest first; maps are left out."""
    found: list[tuple[str, ...]] = []
    level: list[tuple[str, tuple[str, ...]]] = [(message, ())]
    for _ in range(depth):
        deeper = []
        for name, way in level:
            for held in fields(name).values():
                if held.kind != "message" or held.map:
                    continue
                if field in fields(held.type):
                    found.append((*way, held.name))
                deeper.append((held.type, (*way, held.name)))
        level = deeper
    return tuple(found)


@cache
def _tables() -> tuple[dict[str, dict[str, FieldType]], dict[str, dict[str, int]]]:
    messages: dict[str, dict[str, FieldType]] = {}
    enums: dict[str, dict[str, int]] = {}
    lines: list[tuple[str, list[str]]] = []
    with open(
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "model_config.fields"), encoding="utf-8"
    ) as stream:
        owner = ""
        for line in stream:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] in ("message", "enum") and not line.startswith(" "):
                owner = words[1]
                (messages if words[0] == "message" else enums)[owner] = {}
            elif owner in enums:
                enums[owner][words[0]] = int(words[1])
            else:
                lines.append((owner, words))
    for owner, words in lines:
        messages[owner][words[0]] = _field(words, enums)
    return messages, enums


def _field(words: list[str], enums: dict[str, dict[str, int]]) -> FieldType:
    name, type_, *more = words
    if type_ in _SCALARS:
        kind = "whole" if type_ in WHOLE else "float" if type_ in ("float", "double") else type_
    else:
        kind = "enum" if type_ in enums else "message"
    oneof = next((word.removeprefix("oneof=") for word in more if word.startswith("oneof=")), "")
    return FieldType(name, type_, kind, "repeated" in more, "map" in more, oneof)
