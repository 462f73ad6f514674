"""Bytes of a log -> text that may be shown: decoded, without control characters, secrets masked."""

from __future__ import annotations

from triage.masks import redact

# control characters but tab; direction marks, invisible operators, tags, what is no character: nobody sees them, and a
# secret that they cut in two would pass the masks; line separators become blanks
_UNSAFE: dict[int, int | None] = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), 0xAD, 0x061C, 0x180E, *range(0x200B, 0x2010), 0xFEFF, 0xFFFE, 0xFFFF)
)
_UNSAFE.update(dict.fromkeys((*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xE0000, 0xE0080))))
_UNSAFE.update(dict.fromkeys((*range(0xFDD0, 0xFDF0), *range(0xFFF9, 0xFFFC))))
_UNSAFE.update({0x2028: 0x20, 0x2029: 0x20} | dict.fromkeys(range(0xD800, 0xE000), 0xFFFD))
LONGEST = 2000


def shown(data: bytes, limit: int = LONGEST) -> str:
    """Text that is safe on a terminal and holds no secret; long text is cut with an ellipsis."""
    text = plain(data[: limit * 4].decode("utf-8", "replace"))
    if len(text) > limit or len(data) > limit * 4:
        text = text[:limit] + "…"
    return text


def plain(text: str) -> str:
    """Text without control characters and secrets."""
    if not text.isprintable():
        text = text.replace("\n", " ").translate(_UNSAFE)
    return redact(text)


def shown_part(part: bytes, line: bytes, limit: int = LONGEST) -> str:
    """A part of a line; masked where the line holds a secret that the part is a piece of."""
    text = line.decode("utf-8", "replace")
    value = shown(part, limit)
    if redact(text) is text or value.rstrip("…") in plain(text):
        return value
    return "[secret masked]"
