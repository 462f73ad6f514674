"""Colons that are missing or written otherwise, comments of other languages, stray and invisible characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from triage.tritonrepo.mends import SYNTAX, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed

_ASSIGN = re.compile(r":?=>?|->|::|~")
_COMMENT = re.compile(r"//+|--+|;+|%+|!+")
_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)
_FENCE = re.compile(r"`{3}[^\n]*(?:\n|$)")
_ALIKE = {0x2212: "-", 0x2013: "-", 0x2014: "-", 0xFF1A: ":"}
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\xad"


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Mending marks outside of brackets, commas and quotes."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    yield from _colon(parsed, fault)
    yield from _comment(parsed, fault)
    yield from _stray(parsed, fault)


def _colon(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    line = parsed.text.count("\n", 0, token.start) + 1
    match = _ASSIGN.match(parsed.text, token.start)
    before = parsed.tokens[fault.at - 1] if fault.at else token
    if match and fault.expected in (":", "{"):
        words = f'write ":" for "{match[0]}" in line {line}'
        yield Offer(0.6, words, SYNTAX, (Piece(match.start(), match.end(), ":"),))
    elif match and fault.kind in ("value", "mark") and before.text == ":":
        yield Offer(0.6, f'drop "{match[0]}" in line {line}', SYNTAX, (Piece(match.start(), match.end(), ""),))
    elif fault.expected == ":" and (
        token.kind in ("name", "number", "string", "open") or token.text in ("[", "-", "(")
    ):
        yield Offer(0.6, f'put the missing ":" in line {line}', SYNTAX, (Piece(before.end, before.end, ":"),))
    elif token.text == ":" and before.text == ":":
        yield Offer(0.6, f'drop the second ":" in line {line}', SYNTAX, (Piece(token.start, token.end, ""),))


def _comment(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """Comments begin with # here; what other languages write is turned into it."""
    text, start = parsed.text, fault.offset
    line = text.count("\n", 0, start) + 1
    if fault.kind not in ("name", "mark", "value"):
        return
    block = _BLOCK.match(text, start)
    if block:
        end = block.end()
        inner = block[0].strip("/").strip("*").strip()
        rest = text[end : end + 1] if end < len(text) else "\n"
        new = "\n".join("# " + part.strip().lstrip("*").strip() for part in inner.split("\n"))
        pieces = (Piece(start, end, new if rest == "\n" else new + "\n"),)
        yield Offer(0.5, f"write the comment in line {line} with #", SYNTAX, pieces)
        return
    match = _COMMENT.match(text, start)
    if match and (len(match[0]) > 1 or match[0] in ";%!"):
        cost = 0.5 if match[0].startswith(("//", "--")) else 1.1
        yield Offer(cost, f"write the comment in line {line} with #", SYNTAX, (Piece(match.start(), match.end(), "#"),))


def _stray(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token, text = parsed.tokens[fault.at], parsed.text
    line = text.count("\n", 0, token.start) + 1
    if token.kind == "odd":
        plain = _plain(token.text)
        if plain is not None:
            pieces = tuple(Piece(place, place + 1, plain) for place in _places(text, token.text))
            yield Offer(0.4, f"replace the character U+{ord(token.text):04X}", SYNTAX, pieces)
        else:
            yield Offer(
                1.6, f"drop the character {token.text!r} in line {line}", SYNTAX, (Piece(token.start, token.end, ""),)
            )
    elif token.kind == "mark":
        fence = _FENCE.match(text, token.start)
        if fence:
            yield Offer(0.4, f"drop the code fence in line {line}", SYNTAX, (Piece(token.start, fence.end(), ""),))
        elif token.text not in "{}[]<>()\"'":
            yield Offer(
                1.5, f'drop the stray "{token.text}" in line {line}', SYNTAX, (Piece(token.start, token.end, ""),)
            )


def _plain(character: str) -> str | None:
    """The ASCII character that is meant; empty for invisible ones, None where there is none."""
    if character in _INVISIBLE or (ord(character) < 32 and character not in "\t\r\n"):
        return ""
    if unicodedata.category(character) == "Zs":
        return " "
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isascii() else _ALIKE.get(ord(character))


def _places(text: str, character: str) -> list[int]:
    """Where a character stands outside of strings and comments, roughly: everywhere but behind a #."""
    found = []
    for match in re.finditer(re.escape(character), text):
        start = text.rfind("\n", 0, match.start()) + 1
        if "#" not in text[start : match.start()]:
            found.append(match.start())
    return found
