"""Regular expressions that run in time linear in the text: RE2, asked for spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Spans = list[tuple[int, int]]
_shared: list[Any] = []


def _options() -> Any:
    if not _shared:
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        _shared.append(options)
    return _shared[0]


class Program:
    """A pattern over bytes that answers with spans: of the whole match, then of each group.

    The public wrapper of RE2 makes a generator and a match object for each try, which
    costs several times the match itself; the extension below it is asked where it can be.
    Raises ValueError with RE2's reason for a pattern that it does not take.
    """

    __slots__ = ("_anchored", "_free", "_match", "_program", "groupindex", "groups")

    def __init__(self, pattern: bytes) -> None:
        import re2

        try:
            self._program = re2.compile(pattern, _options())
        except re2.error as fault:
            reason = fault.args[0] if fault.args else fault
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise ValueError(text) from None
        self.groups: int = self._program.groups
        self.groupindex: dict[bytes, int] = dict(self._program.groupindex)
        extension = getattr(self._program, "_regexp", None)
        anchors = getattr(type(extension), "Anchor", None)
        self._match = getattr(extension, "Match", None) if anchors is not None else None
        self._free = getattr(anchors, "UNANCHORED", None)
        self._anchored = getattr(anchors, "ANCHOR_START", None)

    def search(self, text: bytes, position: int = 0) -> Spans | None:
        """Spans of the first match from a position on, (-1, -1) for a group not taken; None without one."""
        if self._match is None:
            return self._spans(self._program.search(text, position))
        spans: Spans = self._match(self._free, text, position, len(text))
        return spans if spans[0][0] >= 0 else None

    def match(self, text: bytes) -> Spans | None:
        """As search, but at the start of the text."""
        if self._match is None:
            return self._spans(self._program.match(text))
        spans: Spans = self._match(self._anchored, text, 0, len(text))
        return spans if spans[0][0] >= 0 else None

    def every(self, text: bytes) -> Iterator[Spans]:
        """All matches, from left to right, none empty."""
        position = 0
        while position <= len(text):
            found = self.search(text, position)
            if found is None:
                return
            start, end = found[0]
            if end > start:
                yield found
            position = max(end, start + 1)

    def removed(self, text: bytes) -> bytes:
        """The text without its matches."""
        result: bytes = self._program.sub(b"", text)
        return result

    def _spans(self, found: Any) -> Spans | None:
        return None if found is None else [found.span(group) for group in range(self.groups + 1)]
