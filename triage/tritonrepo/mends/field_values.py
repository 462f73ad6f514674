"""Values of the wrong type: quoted numbers, unknown data types, words for numbers, scalars for messages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import field_at, matching
from triage.tritonrepo.lexer import Token, quoted, unquoted
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed
from triage.tritonrepo.schema import FieldType
from triage.tritonrepo.words import enum_values_of

_RUN = re.compile(r"[\w.\-]+(?:\([\w ]*\))?")
_ANY = ("none", "null", "nil", "any", "dynamic", "variable", "unknown", "n", "b", "batch", "seq", "?", "*", "auto")
_YES, _NO = ("yes", "on", "enable", "enabled", "true", "1"), ("no", "off", "disable", "disabled", "false", "0")


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Writing what is meant as its field wants it."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    known = fault.known
    if known is None:
        return
    token = parsed.tokens[fault.at]
    line = parsed.text.count("\n", 0, token.start) + 1
    for cost, new, end in _values(parsed, fault, known, token):
        words = f"write {known.name}: {new} in line {line}"
        yield Offer(cost, words, FIELDS, (Piece(token.start, end, new),))
    if known.kind == "message" and fault.expected == "{":
        yield from _message(parsed, fault, known)
        yield from _empty(parsed, fault, known)
    elif token.text == "[" and not known.repeated:
        yield from _single(parsed, fault, known)
    if fault.kind == "value":
        yield from _missing(parsed, fault, known)


def _values(parsed: Parsed, fault: Fault, known: FieldType, token: Token) -> Iterator[tuple[float, str, int]]:
    if fault.kind not in ("value", "enum"):
        return
    run = _RUN.match(parsed.text, token.start)
    said, end = (unquoted(token.text), token.end) if token.kind == "string" else ("", token.end)
    if run and token.kind in ("name", "number"):
        said, end = run[0], run.end()
    if token.text in ("?", "*"):
        said = token.text
    if known.kind == "enum":
        for count, name in enumerate(enum_values_of(said, known.type)):
            yield 0.5 + 0.3 * count, name, end
    elif known.kind == "bool" and said.lower() in (*_YES, *_NO):
        yield 0.5, "true" if said.lower() in _YES else "false", end
    elif known.kind == "whole":
        yield from ((cost, new, end) for cost, new in _whole(said, known))
    elif known.kind == "float" and re.fullmatch(r"-?[\d.]+", said):
        yield 0.5, said, end


def _whole(said: str, known: FieldType) -> Iterator[tuple[float, str]]:
    plain = said.strip().replace("_", "")
    if re.fullmatch(r"-?\d+", plain):
        yield 0.5, str(int(plain))
    elif re.fullmatch(r"-?\d+\.0*", plain):
        yield 0.5, plain.partition(".")[0]
    elif known.repeated and re.fullmatch(r"[\[(]?\s*-?\d+(?:\s*[,x ]\s*-?\d+)+\s*[\])]?", plain):
        yield 0.6, f"[ {', '.join(re.findall(r'-?[0-9]+', plain))} ]"
    elif known.name in ("dims", "shape") and (plain.lower() in _ANY or re.fullmatch(r"[A-Za-z_]\w*", plain)):
        yield 0.7 if plain.lower() in _ANY else 1.2, "-1"


def _message(parsed: Parsed, fault: Fault, known: FieldType) -> Iterator[Offer]:
    """A scalar or a list where a message must stand."""
    token, text = parsed.tokens[fault.at], parsed.text
    line = text.count("\n", 0, token.start) + 1
    inner = schema.fields(known.type)
    if token.text == "[" and not known.many:
        last = matching(parsed.tokens, fault.at)
        if last is None:
            return
        end = parsed.tokens[last].end
        lists = [each for each in inner.values() if each.repeated and each.kind != "message"]
        if parsed.tokens[fault.at + 1].text == "{":
            pieces = (Piece(token.start, token.end, ""), Piece(parsed.tokens[last].start, end, ""))
            yield Offer(0.8, f"drop the brackets around {known.name} in line {line}", FIELDS, pieces)
        elif len(lists) == 1:
            new = f"{{ {lists[0].name}: {text[token.start : end]} }}"
            yield Offer(0.7, f"write {known.name} {new} in line {line}", FIELDS, (Piece(token.start, end, new),))
        return
    for new in _wrapped(token, inner):
        yield Offer(0.7, f"write {known.name} {new} in line {line}", FIELDS, (Piece(token.start, token.end, new),))


def _empty(parsed: Parsed, fault: Fault, known: FieldType) -> Iterator[Offer]:
    """``dynamic_batching`` and nothing behind it: its defaults are meant."""
    token, before = parsed.tokens[fault.at], parsed.tokens[fault.at - 1]
    plain = token.kind == "end" or token.text in ("}", "]") or token.text in schema.fields(fault.message)
    if plain and not known.many and before.text in (known.name, ":"):
        line = parsed.text.count("\n", 0, before.start) + 1
        yield Offer(0.9, f"write {known.name} {{ }} in line {line}", FIELDS, (Piece(before.end, before.end, " { }"),))


def _wrapped(token: Token, inner: dict[str, FieldType]) -> Iterator[str]:
    said = unquoted(token.text) if token.kind == "string" else token.text
    if said in inner and inner[said].kind == "message":
        yield f"{{ {said} {{ num_versions: 1 }} }}" if said == "latest" else f"{{ {said} {{ }} }}"
    strings = [each for each in inner.values() if each.kind == "string"]
    bools = [each for each in inner.values() if each.kind == "bool" and len(inner) == 1]
    wholes = [each for each in inner.values() if each.kind == "whole" and not each.many]
    enums = [each for each in inner.values() if each.kind == "enum" and enum_values_of(said, each.type)]
    if token.kind in ("string", "name") and len(enums) == 1 and said.lower() not in (*_YES, *_NO):
        yield f"{{ {enums[0].name}: {enum_values_of(said, enums[0].type)[0]} }}"
    if token.kind in ("string", "number", "name") and len(strings) == len(inner) == 1:
        yield f"{{ {strings[0].name}: {quoted(said)} }}"
    elif said.lower() in (*_YES, *_NO) and len(bools) == 1:
        yield f"{{ {bools[0].name}: {'true' if said.lower() in _YES else 'false'} }}"
    elif token.kind == "number" and len(wholes) == 1:
        yield f"{{ {wholes[0].name}: {said} }}"
    elif said.lower() in _YES:
        yield "{ }"


def _single(parsed: Parsed, fault: Fault, known: FieldType) -> Iterator[Offer]:
    """A list of one value where one value must stand."""
    last = matching(parsed.tokens, fault.at)
    if last == fault.at + 2:
        token, closer = parsed.tokens[fault.at], parsed.tokens[last]
        line = parsed.text.count("\n", 0, token.start) + 1
        pieces = (Piece(token.start, token.end, ""), Piece(closer.start, closer.end, ""))
        yield Offer(0.8, f"drop the brackets around {known.name} in line {line}", FIELDS, pieces)


def _missing(parsed: Parsed, fault: Fault, known: FieldType) -> Iterator[Offer]:
    """``backend:`` and nothing behind it: the field is left out."""
    token = parsed.tokens[fault.at]
    at = fault.at - 2
    if at < 0 or parsed.tokens[at].text != known.name or parsed.tokens[fault.at - 1].text != ":":
        return
    following = field_at(parsed.tokens, fault.at) if token.kind == "name" else None
    if token.text in ("}", "]") or token.kind == "end" or (following and token.text in schema.fields(fault.message)):
        start, end = parsed.tokens[at].start, parsed.tokens[fault.at - 1].end
        line = parsed.text.count("\n", 0, start) + 1
        yield Offer(1.0, f"drop {known.name} without a value in line {line}", FIELDS, (Piece(start, end, ""),), True)
    elif token.text.lower() in ("null", "none", "nil"):
        start = parsed.tokens[at].start
        words = f"drop {known.name}: {token.text}"
        yield Offer(1.0, words, FIELDS, (Piece(start, token.end, ""),), backward=True)
