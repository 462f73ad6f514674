"""Brackets that are not closed, closed twice, closed by the wrong mark, or of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import holder, indent, matching
from triage.tritonrepo.mends import SYNTAX, Offer, Piece
from triage.tritonrepo.parse import Fault, Open, Parsed

_CLOSERS = {"{": "}", "<": ">", "[": "]"}


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Closing, dropping, swapping and opening brackets."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    yield from _close(parsed, fault)
    yield from _surplus(parsed, fault)
    yield from _closed_early(parsed, fault)
    yield from _open(parsed, fault)
    yield from _other_kind(parsed, fault)


def _close(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """Closes the innermost brackets, as many as let the text go on."""
    token = parsed.tokens[fault.at]
    for count in range(1, len(fault.within) + 1):
        left = fault.within[: len(fault.within) - count]
        if not _goes_on(fault, left, token.text, token.kind):
            continue
        at = parsed.tokens[fault.at - 1].end
        text = _closing(parsed.text, fault.within[-count:], at)
        if left and left[-1].mark == "[" and token.text == "{" and not text.rstrip().endswith(","):
            text += ","
        names = " and ".join(f'"{_CLOSERS[each.mark]}"' for each in reversed(fault.within[-count:]))
        line = parsed.text.count("\n", 0, at) + 1
        yield Offer(1 + 0.15 * (count - 1), f"close with {names} in line {line}", SYNTAX, (Piece(at, at, text),))


def _goes_on(fault: Fault, left: tuple[Open, ...], text: str, kind: str) -> bool:
    if kind == "end":
        return not left
    if kind == "mark" and text in _CLOSERS.values():
        return bool(left) and _CLOSERS[left[-1].mark] == text
    if kind == "mark" and text == "{":
        return bool(left) and left[-1].mark == "[" and bool(left[-1].message)
    if kind in ("name", "string"):
        inside = left[-1].message if left and left[-1].mark != "[" else "" if left else schema.ROOT
        return bool(inside) and text.strip("\"'") in schema.fields(inside)
    return False


def _closing(text: str, brackets: tuple[Open, ...], at: int) -> str:
    """The closing marks: in the same line where the bracket was opened there, else each in a line of its own."""
    written = ""
    for each in reversed(brackets):
        mark = _CLOSERS[each.mark]
        if "\n" not in text[each.start : at]:
            written += f" {mark}"
        elif (
            not written.endswith(("}", "]", ">"))
            or "\n" not in written
            or indent(text, each.start) != _last_indent(written)
        ):
            written += "\n" + indent(text, each.start) + mark
        else:
            written += mark
    return written


def _last_indent(written: str) -> str:
    line = written.rpartition("\n")[2]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _surplus(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    if token.kind != "mark" or token.text not in (*_CLOSERS.values(), ")"):
        return
    line = parsed.text.count("\n", 0, token.start) + 1
    yield Offer(1.0, f'drop the surplus "{token.text}" in line {line}', SYNTAX, (Piece(token.start, token.end, ""),))
    if fault.within:
        mark = _CLOSERS[fault.within[-1].mark]
        if mark != token.text:
            words = f'close with "{mark}" instead of "{token.text}" in line {line}'
            yield Offer(0.95, words, SYNTAX, (Piece(token.start, token.end, mark),))


def _closed_early(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """A field that stands behind the closing bracket of the message that it belongs to."""
    token = parsed.tokens[fault.at]
    behind = fault.kind == "mark" and fault.expected == "," and token.kind == "name"
    if not (fault.kind == "field" or behind) or not schema.holders(token.text):
        return
    pieces: tuple[Piece, ...] = ()
    at = fault.at - 1
    while at > 0 and len(pieces) < 4 and parsed.tokens[at].text in ("}", "]", ",", ">"):
        each = parsed.tokens[at]
        pieces = (*pieces, Piece(each.start, each.end, ""))
        if each.text != ",":
            line = parsed.text.count("\n", 0, each.start) + 1
            yield Offer(
                1.3 + 0.2 * len(pieces), f'drop "{each.text}" in line {line}, which closes too early', SYNTAX, pieces
            )
        at -= 1


def _open(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    line = parsed.text.count("\n", 0, token.start) + 1
    if fault.kind == "mark" and fault.expected == "{" and token.kind == "name":
        yield Offer(1.0, f'open with "{{" in line {line}', SYNTAX, (Piece(token.start, token.start, "{ "),))
    if token.text == "(" and fault.known is not None:
        last = matching(parsed.tokens, fault.at)
        if last is not None:
            pair = "[]" if fault.known.kind != "message" else "{}"
            pieces = (
                Piece(token.start, token.end, pair[0]),
                Piece(parsed.tokens[last].start, parsed.tokens[last].end, pair[1]),
            )
            yield Offer(0.7, f"write {pair} for () in line {line}", SYNTAX, pieces)


def _other_kind(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """An opening bracket of the wrong kind, given twice, or left out around several messages."""
    token = parsed.tokens[fault.at]
    if token.kind != "mark" or token.text not in ("{", "["):
        return
    before, after = parsed.tokens[max(fault.at - 1, 0)], parsed.tokens[fault.at + 1]
    line = parsed.text.count("\n", 0, token.start) + 1
    if before.text in ("{", "[") and fault.at:
        words = f'drop the second "{token.text}" in line {line}'
        yield Offer(0.95, words, SYNTAX, (Piece(token.start, token.end, ""),))
    wanted = "{" if token.text == "[" else "["
    if fault.known is not None and (fault.expected == "{" or fault.known.repeated) and after.text != "{":
        words = f'open with "{wanted}" instead of "{token.text}" in line {line}'
        yield Offer(0.9, words, SYNTAX, (Piece(token.start, token.end, wanted),))
    inside = holder(parsed)
    last = inside.fields[-1] if inside.fields else None
    if fault.kind != "name" or token.text != "{":
        return
    if before.text == "{":
        words = f'open with "[" instead of "{{" in line {line}'
        yield Offer(0.9, words, SYNTAX, (Piece(before.start, before.end, "["),))
    elif last is not None and schema.fields(inside.message)[last.name].many and last.value.kind == "message":
        at = last.value.start
        yield Offer(1.0, f'open with "[" in line {line}', SYNTAX, (Piece(at, at, "[ "),))
