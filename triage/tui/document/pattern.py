"""What a person types to search: plain words, or a regular expression between slashes.

A text in lower case ignores case. Expressions are RE2's, so none can hang; they look at
one line at a time, so nothing matches across a line end.
"""

from __future__ import annotations

from typing import Any

from triage.errors import UsageError

MOST_SPANS = 500


class BadPattern(UsageError):
    """A search text that is no pattern: says what is wrong and where."""


class Pattern:
    """A compiled search text. ``source`` is its RE2 expression, so that several can be joined."""

    __slots__ = ("_literal", "_match", "_unanchored", "source", "text")

    def __init__(self, text: str, source: bytes, literal: bytes = b"") -> None:
        self.text = text
        self.source = source
        self._literal = literal
        extension = _compile(source)._regexp  # noqa: SLF001  a match object for each hit costs more than the match
        self._match: Any = extension.Match
        self._unanchored: Any = extension.Anchor.UNANCHORED

    def find(self, data: bytes, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
        """First hit in a range of bytes; may be empty."""
        stop = len(data) if end is None else end
        if self._literal:
            place = data.find(self._literal, start, stop)
            return None if place < 0 else (place, place + len(self._literal))
        found = self._match(self._unanchored, data, start, stop)[0]
        return None if found[0] < 0 else (found[0], found[1])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """All hits in a shown line, as places in the text; empty ones are left out."""
        data = text.encode("utf-8", "replace")
        spans: list[tuple[int, int]] = []
        place = 0
        while place < len(data) and len(spans) < MOST_SPANS:
            found = self.find(data, place)
            if found is None:
                break
            if found[1] > found[0]:
                spans.append(found)
            place = max(found[1], found[0] + 1)
        return spans if text.isascii() else _in_characters(data, spans)


def _in_characters(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    changed: list[tuple[int, int]] = []
    seen = place = 0
    for start, end in spans:
        first = seen + len(data[place:start].decode("utf-8", "ignore"))
        seen, place = first + len(data[start:end].decode("utf-8", "ignore")), end
        changed.append((first, seen))
    return changed


def parse_pattern(text: str) -> Pattern:
    """Reads a search text.

    Raises:
        BadPattern: it is empty, or between slashes stands no regular expression.
    """
    if len(text) > 1 and text[0] == text[-1] == "/":
        body = text[1:-1]
        if not body:
            raise BadPattern("there is nothing between the slashes. Type /error|failed/ for example.")
        _compile(body.encode("utf-8", "replace"))  # alone first: a stray bracket must not close ours
        flags = "" if _has_upper(body) else "i"
        return Pattern(text, f"(?{flags}m:{body})".encode())
    if not text:
        raise BadPattern("the search text is empty. Type a word, or /a regular expression/.")
    import re2

    plain = text.encode("utf-8", "replace")
    quoted = re2.escape(plain)
    if _has_upper(text):
        return Pattern(text, quoted, b"" if b"\n" in plain else plain)
    return Pattern(text, b"(?i:" + quoted + b")")


def joined(patterns: tuple[Pattern, ...]) -> Pattern | None:
    """One pattern that hits where any of these does; None for none."""
    if len(patterns) < 2:
        return patterns[0] if patterns else None
    source = b"|".join(b"(?:" + pattern.source + b")" for pattern in patterns)
    return Pattern(" | ".join(pattern.text for pattern in patterns), source)


def _has_upper(text: str) -> bool:
    r"""Capitals decide on case; those of classes such as ``\S`` and ``\pL`` do not."""
    import re

    return any(letter.isupper() for letter in re.sub(r"\\[pP](?:\{\^?\w+\}|\w)|\\.", "", text))


def _compile(source: bytes) -> Any:
    import re2

    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    try:
        return re2.compile(source, options)
    except re2.error as fault:
        raise BadPattern(_complaint(fault, source)) from None


def _complaint(fault: Any, source: bytes) -> str:
    reason = fault.args[0] if fault.args else str(fault)
    words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    what, _, piece = words.partition(": ")
    place = source.decode("utf-8", "replace").find(piece) if piece else -1
    if piece and place >= 0:
        return f"{what} at character {place + 1}: {piece}"
    return words
