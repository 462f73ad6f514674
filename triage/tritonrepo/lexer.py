"""The tokens of protobuf text, with their places; what is no token is told as such and never raised."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+|\#[^\n]*)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?)"""
    r"""|(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')"""
    r"""|(?P<open>["'][^\n]*)"""
    r"""|(?P<mark>[\x21-\x7e])"""
    r"""|(?P<odd>.)""",
    re.DOTALL,
)


class Token(NamedTuple):
    """A piece of text. ``kind`` is name, number, string, mark, end, open (a string without its end) or odd."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Every token but spaces and comments; the last is the end."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "odd"
        if kind != "space":
            found.append(Token(kind, match[0], match.start(), match.end()))
    found.append(Token("end", "", len(text), len(text)))
    return found


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1 on."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def unquoted(text: str) -> str:
    """What a string token says."""
    body = text[1:-1] if len(text) > 1 and text[0] == text[-1] else text[1:]
    if "\\" not in body:
        return body
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), body)


def quoted(text: str) -> str:
    """A string token that says this."""
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'
