"""How loud a line is, told by the format it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from triage.linear import Program


class _Prefix(NamedTuple):
    """What stands before a message, and how many bytes of the line it takes."""

    level: str | None
    tool: str | None
    length: int


class Levels:
    """Tries the compiled formats on a line; remembers what it saw."""

    def __init__(self, formats: Sequence[Sequence[Any]]) -> None:
        self._formats = formats
        self._seen: dict[bytes, _Prefix] = {}

    def of(self, line: bytes) -> str | None:
        """verbose, info, warning, error, fatal; None where the line does not say."""
        return self._look(line).level

    def tool(self, line: bytes) -> str | None:
        """The tool whose format the line has."""
        return self._look(line).tool

    def message(self, line: bytes) -> bytes:
        """The line without the prefix of its format: time, level, component; all of it where nothing else is there."""
        length = self._look(line).length
        if line[length - 1 : length].isalnum():  # some formats look at the first letter of the message
            length -= 1
        return line[length:].strip() or line

    def _look(self, line: bytes) -> _Prefix:
        found = self._seen.get(line)
        if found is None:
            found = self._try(line)
            self._seen[line] = found
        return found

    def _try(self, line: bytes) -> _Prefix:
        best = _Prefix(None, None, 0)
        for name, tool, pattern, levels in self._formats:
            search, place = _program(name, pattern)
            match = search(line)
            if match and match[0][1] > best.length:  # the prefix that explains most of the line
                start, end = match[place]
                level = levels.get(line[start:end].decode("utf-8", "replace") if start >= 0 else "")
                best = _Prefix(level, tool, match[0][1])
        return best


_compiled: dict[tuple[str, str], Any] = {}


def _program(name: str, pattern: str) -> Any:
    key = (name, pattern)
    if key not in _compiled:
        program = Program(pattern.encode())
        _compiled[key] = program.match, program.groupindex[b"sev"]
    return _compiled[key]
