"""Commas that are missing, surplus, or stand between numbers without brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import holder
from triage.tritonrepo.mends import SYNTAX, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed

_NUMBERS = re.compile(r"-?\d+(?:\s*[,x]?\s*-?\d+)*")


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Adding and dropping commas; brackets around bare numbers."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    token, before = parsed.tokens[fault.at], parsed.tokens[max(fault.at - 1, 0)]
    line = parsed.text.count("\n", 0, token.start) + 1
    if fault.kind == "mark" and fault.expected == ",":
        if token.text in (";", ".", "|", "/") or (token.kind == "name" and token.text.lower() == "x"):
            yield Offer(0.6, f"put a comma in line {line}", SYNTAX, (Piece(token.start, token.end, ","),))
        elif token.kind in ("number", "name", "string") or token.text in ("{", "-"):
            yield Offer(0.6, f"put the missing comma in line {line}", SYNTAX, (Piece(before.end, before.end, ","),))
    if token.text in ("]", "}") and before.text == ",":
        yield Offer(0.5, f"drop the last comma in line {line}", SYNTAX, (Piece(before.start, before.end, ""),))
    if token.kind == "mark" and token.text in (",", ";"):
        yield Offer(
            0.6, f'drop the surplus "{token.text}" in line {line}', SYNTAX, (Piece(token.start, token.end, ""),)
        )
    if fault.kind == "name" and (token.kind == "number" or token.text == "-"):
        yield from _bare(parsed, fault)
    yield from _crosses(parsed, fault)


def _crosses(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """``3x224x224``: the sizes are a list."""
    before, token = parsed.tokens[max(fault.at - 1, 0)], parsed.tokens[fault.at]
    match = re.match(r"\d+(?:x\d+)+(?!\w)", parsed.text[before.start :])
    if match and before.kind == "number" and before.end == token.start:
        numbers = match[0].replace("x", ", ")
        listed = bool(fault.within) and fault.within[-1].mark == "["
        line = parsed.text.count("\n", 0, before.start) + 1
        new = numbers if listed else f"[ {numbers} ]"
        words = f"write {new} for {match[0]} in line {line}"
        yield Offer(0.5, words, SYNTAX, (Piece(before.start, before.start + match.end(), new),), backward=True)


def _bare(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """``dims: 3, 8, 8``: the numbers belong into brackets."""
    inside = holder(parsed)
    if not inside.fields:
        return
    last = inside.fields[-1]
    known = schema.fields(inside.message)[last.name]
    match = _NUMBERS.match(parsed.text, last.value.start)
    if known.repeated and known.kind == "whole" and match and match.end() > fault.offset:
        numbers = ", ".join(re.findall(r"-?\d+", match[0]))
        line = parsed.text.count("\n", 0, match.start()) + 1
        words = f"put the numbers of {last.name} in line {line} into brackets"
        yield Offer(0.6, words, SYNTAX, (Piece(match.start(), match.end(), f"[ {numbers} ]"),))
