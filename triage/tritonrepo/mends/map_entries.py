"""Maps written as ``{ "name": "value" }`` instead of entries with a key and a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from triage.tritonrepo import schema
from triage.tritonrepo.extents import field_at, matching, nodes
from triage.tritonrepo.lexer import quoted, unquoted
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Fault, Field, Parsed
from triage.tritonrepo.schema import FieldType


class _Pair(NamedTuple):
    key: str
    value: str


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Each pair as an entry of its own."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    token = parsed.tokens[fault.at]
    if not (fault.within and schema.is_entry(fault.message) and token.kind in ("string", "name")):
        return
    if parsed.tokens[fault.at - 1].start != fault.within[-1].start:
        return
    opener = fault.at - 1
    last = matching(parsed.tokens, opener)
    pairs = _pairs(parsed, fault, last) if last is not None else None
    field = _field(parsed, fault)
    if last is None or not pairs or field is None:
        return
    bodies = [f"{{ key: {quoted(pair.key)} value: {pair.value} }}" for pair in pairs]
    start, end = parsed.tokens[opener].start, parsed.tokens[last].end
    line = parsed.text.count("\n", 0, start) + 1
    if field.value.kind == "list":
        pieces = (Piece(start, end, ", ".join(bodies)),)
    else:
        pieces = (Piece(field.start, end, " ".join(f"{field.name} {body}" for body in bodies)),)
    yield Offer(0.7, f"write {field.name} in line {line} as key and value", FIELDS, pieces)


def _field(parsed: Parsed, fault: Fault) -> Field | None:
    """The field of the map that the open entry belongs to."""
    start = fault.within[-1].start
    for node in nodes(parsed.root):
        for field in node.fields:
            if field.value.start == start or any(item.start == start for item in field.value.items):
                return field
            if field.value.kind == "scalar" and field.name_end <= start and field is node.fields[-1]:
                known = schema.fields(node.message).get(field.name)
                if known is not None and known.type == fault.message:
                    return field
    return None


def _pairs(parsed: Parsed, fault: Fault, last: int) -> list[_Pair] | None:
    known = schema.fields(fault.message)["value"]
    found, at = [], fault.at
    while at < last:
        extent = field_at(parsed.tokens, at)
        if extent is None or parsed.tokens[at].kind not in ("string", "name") or extent.after > last:
            return None
        value = _value(parsed, extent.value_at, extent.end, known)
        if value is None:
            return None
        found.append(
            _Pair(
                unquoted(parsed.tokens[at].text) if parsed.tokens[at].kind == "string" else parsed.tokens[at].text,
                value,
            )
        )
        at = extent.after
        while at < last and parsed.tokens[at].text in (",", ";"):
            at += 1
    return found


def _value(parsed: Parsed, at: int, end: int, known: FieldType) -> str | None:
    token = parsed.tokens[at]
    written = parsed.text[token.start : end]
    if known.kind == "message":
        inner = schema.fields(known.type)
        if token.text == "{":
            return written
        one = next(iter(inner.values())) if len(inner) == 1 else None
        return f"{{ {one.name}: {_string(token.kind, written)} }}" if one is not None and one.kind == "string" else None
    return _string(token.kind, written) if known.kind == "string" and token.text != "{" else None


def _string(kind: str, written: str) -> str:
    return written if kind == "string" else quoted(written)
