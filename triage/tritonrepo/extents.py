"""Where a field ends, and which message a bracket holds: for text that cannot be read as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from triage.tritonrepo.lexer import Token
from triage.tritonrepo.parse import Node, Parsed

_PAIRS = {"{": "}", "[": "]", "<": ">", "(": ")"}


class Extent(NamedTuple):
    """A field in the tokens: its name's token, the first token of its value, and the token behind it.

    ``end`` is the offset behind its last token; a separator behind it is left out.
    """

    at: int
    value_at: int
    after: int
    start: int
    end: int


def matching(tokens: Sequence[Token], at: int) -> int | None:
    """The token that closes the bracket at ``at``; None where none does."""
    depth = 0
    for place in range(at, len(tokens)):
        token = tokens[place]
        if token.kind == "mark" and token.text in _PAIRS:
            depth += 1
        elif token.kind == "mark" and token.text in _PAIRS.values():
            depth -= 1
            if depth == 0:
                return place
    return None


def field_at(tokens: Sequence[Token], at: int) -> Extent | None:
    """The field whose name stands at ``at``; None where it has no end."""
    value_at = at + 1
    if value_at >= len(tokens):
        return None
    if tokens[value_at].kind == "mark" and tokens[value_at].text in ":=":
        value_at += 1
    last: int | None = value_at
    token = tokens[value_at]
    if token.kind == "end":
        return None
    if token.kind == "mark" and token.text in _PAIRS:
        last = matching(tokens, value_at)
    elif token.kind == "mark" and token.text == "-":
        last = value_at + 1
    elif token.kind == "string":
        while tokens[(last or 0) + 1].kind == "string":
            last = (last or 0) + 1
    elif token.kind == "mark":
        return None
    if last is None or last >= len(tokens) - 1:
        return None
    return Extent(at, value_at, last + 1, tokens[at].start, tokens[last].end)


def behind(tokens: Sequence[Token], at: int) -> int:
    """The token behind a separator at ``at``."""
    return at + 1 if tokens[at].kind == "mark" and tokens[at].text in ",;" else at


def holder(parsed: Parsed, level: int = -1) -> Node:
    """The message that an open bracket of the fault holds, as read so far; level -1 is the innermost."""
    fault = parsed.fault
    if fault is None or not fault.within:
        return parsed.root
    wanted = fault.within[level].start
    return next((node for node in nodes(parsed.root) if node.start == wanted and node is not parsed.root), parsed.root)


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for inner in (*node.items, *(one.value for one in node.fields)):
        yield from nodes(inner)


def balanced(tokens: Sequence[Token]) -> bool:
    """Whether every bracket has its partner."""
    open_: list[str] = []
    for token in tokens:
        if token.kind == "mark" and token.text in _PAIRS:
            open_.append(_PAIRS[token.text])
        elif token.kind == "mark" and token.text in _PAIRS.values() and (not open_ or open_.pop() != token.text):
            return False
    return not open_


def indent(text: str, offset: int) -> str:
    """The spaces that begin the line of an offset."""
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:]
    return line[: len(line) - len(line.lstrip(" \t"))]


def whole_lines(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The lines that a part of the text fills alone, with their line breaks; None where something else stands there.

    A comment behind it and a separator go with it.
    """
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    rest = text[end:last].strip()
    if text[first:start].strip() or not (rest in ("", ",", ";") or rest.lstrip(",; ").startswith("#")):
        return None
    return first, min(last + 1, len(text))
