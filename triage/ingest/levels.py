"""How loud a line is, told by the format it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triage.linear import Program


class Levels:
    """Tries the compiled formats on a line; remembers what it saw."""

    def __init__(self, formats: Sequence[Sequence[Any]]) -> None:
        self._formats = formats
        self._seen: dict[bytes, tuple[str | None, str | None]] = {}

    def of(self, line: bytes) -> str | None:
        """verbose, info, warning, error, fatal; None where the line does not say."""
        return self._look(line)[0]

    def tool(self, line: bytes) -> str | None:
        """The tool whose format the line has."""
        return self._look(line)[1]

    def _look(self, line: bytes) -> tuple[str | None, str | None]:
        found = self._seen.get(line)
        if found is None:
            found = self._try(line)
            self._seen[line] = found
        return found

    def _try(self, line: bytes) -> tuple[str | None, str | None]:
        best: tuple[str | None, str | None] = (None, None)
        longest = 0
        for name, tool, pattern, levels in self._formats:
            search, place = _program(name, pattern)
            match = search(line)
            if match and match[0][1] > longest:  # the prefix that explains most of the line
                longest = match[0][1]
                start, end = match[place]
                best = levels.get(line[start:end].decode("utf-8", "replace") if start >= 0 else ""), tool
        return best


_compiled: dict[tuple[str, str], Any] = {}


def _program(name: str, pattern: str) -> Any:
    key = (name, pattern)
    if key not in _compiled:
        program = Program(pattern.encode())
        _compiled[key] = program.match, program.groupindex[b"sev"]
    return _compiled[key]
