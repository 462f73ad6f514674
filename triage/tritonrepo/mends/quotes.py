"""Quotes that are missing, not closed, typographic, or around names as JSON wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.lexer import quoted, unquoted
from triage.tritonrepo.mends import SYNTAX, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed

_CURLY = "\u201c\u201d\u201e\u201f\xab\xbb\u2018\u2019\u201a\u2039\u203a\uff02"
_WORD = re.compile(r"[^\s,;{}\[\]#\"']+")
_NAME = re.compile(r"[A-Za-z_]\w*\Z")


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Adding, closing, straightening and dropping quotes."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    token = parsed.tokens[fault.at]
    if token.kind == "odd" and token.text in _CURLY:
        pieces = tuple(
            Piece(match.start(), match.end(), '"') for match in re.finditer(f"[{_CURLY}]", parsed.text)
            if "#" not in parsed.text[parsed.text.rfind("\n", 0, match.start()) + 1 : match.start()]
        )  # fmt: skip
        yield Offer(0.4, "write plain quotes for typographic ones", SYNTAX, pieces)
    if token.kind == "open":
        yield from _unclosed(parsed, fault)
    elif fault.kind == "value" and fault.expected == "string":
        yield from _unquoted(parsed, fault)
    elif token.kind == "string" and fault.kind == "name":
        yield from _json_key(parsed, fault)
        yield from _nameless(parsed, fault)
    yield from _swallowed(parsed, fault)
    yield from _wrapper(parsed, fault)


def _unclosed(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    mark, body = token.text[0], token.text[1:]
    line = parsed.text.count("\n", 0, token.start) + 1
    word = re.match(r"[^\s,;{}\[\]#]*", body)
    ends = [len(word[0]) if word else 0, len(body.rstrip(" \t\r,;}]")), len(body.rstrip())]
    other = {"'": '"', '"': "'"}[mark]
    if other in body:
        at = token.start + 1 + body.index(other)
        yield Offer(0.8, f"close the string in line {line} as it was opened", SYNTAX, (Piece(at, at + 1, mark),))
    for count, end in enumerate(dict.fromkeys(ends)):
        at = token.start + 1 + end
        words = f"close the string {token.text[: end + 1]}{mark} in line {line}"
        yield Offer(0.9 + 0.1 * count, words, SYNTAX, (Piece(at, at, mark),))
    if not body.strip() or (fault.known is not None and fault.known.kind != "string"):
        yield Offer(1.0, f"drop the stray quote in line {line}", SYNTAX, (Piece(token.start, token.start + 1, ""),))


def _unquoted(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    text, token = parsed.text, parsed.tokens[fault.at]
    line = text.count("\n", 0, token.start) + 1
    if token.kind == "mark" and token.text == "`":
        end = text.find("`", token.end)
        if 0 < end < _line_end(text, token.start):
            pieces = (Piece(token.start, token.end, '"'), Piece(end, end + 1, '"'))
            yield Offer(0.6, f"write plain quotes in line {line}", SYNTAX, pieces)
        return
    word = _WORD.match(text, token.start)
    following = parsed.tokens[fault.at + 1] if token.kind != "end" else token
    if not word or token.text in ("(", "<"):
        return
    if following.text == ":" and token.kind == "name" and token.text in schema.fields(fault.message):
        return  # the value is missing, and this is the next field
    if text[word.end() : word.end() + 1] in ("'", '"'):
        mark = text[word.end()]
        yield Offer(0.7, f"open the string in line {line}", SYNTAX, (Piece(token.start, token.start, mark),))
    said = word[0].rstrip(":")
    yield Offer(
        0.6, f"quote {said} in line {line}", SYNTAX, (Piece(token.start, token.start + len(said), quoted(said)),)
    )


def _json_key(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    name = unquoted(token.text)
    if _NAME.match(name) and not (schema.is_entry(fault.message) and name not in schema.fields(fault.message)):
        yield Offer(0.5, f"write the field {name} without quotes", SYNTAX, (Piece(token.start, token.end, name),))


def _nameless(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """``value: { "4" }``: the only text that the message holds."""
    token = parsed.tokens[fault.at]
    held = list(schema.fields(fault.message).values())
    if fault.within and len(held) == 1 and held[0].kind == "string" and parsed.tokens[fault.at + 1].text in ("}", ">"):
        words = f"write {held[0].name}: {token.text}"
        yield Offer(0.6, words, SYNTAX, (Piece(token.start, token.start, f"{held[0].name}: "),))


def _swallowed(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """A string that runs into the next field because its own end is missing."""
    if not fault.at:
        return
    before = parsed.tokens[fault.at - 1]
    if before.kind != "string" or not re.search(r"[:{}\[\]]", before.text):
        return
    word = re.match(r"[^\s,;{}\[\]#]*", before.text[1:])
    at = before.start + 1 + len(word[0] if word else "")
    line = parsed.text.count("\n", 0, at) + 1
    words = f"close the string {parsed.text[before.start : at]}{before.text[0]} in line {line}"
    yield Offer(1.1, words, SYNTAX, (Piece(at, at, before.text[0]),), backward=True)


def _wrapper(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """The braces that JSON puts around everything."""
    token = parsed.tokens[fault.at]
    if fault.at or token.text != "{" or len(parsed.tokens) < 3:
        return
    last = parsed.tokens[-2]
    pieces = [Piece(token.start, token.end, "")]
    if last.text == "}":
        pieces.append(Piece(last.start, last.end, ""))
    yield Offer(0.6, "drop the braces around the whole file", SYNTAX, tuple(pieces))


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end
