"""Fact hits -> facts: versions, GPU, precision, model, opset, command line.

Fact patterns stand in the format modules; their group names are the fact names.
Groups that start with ``mark_`` give no fact but the lines of a landmark: where a
run starts, where an exception was handled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from triage.ingest.scan import RawHit
from triage.ingest.text import shown_part
from triage.rulebook.book import Rulebook


class Facts:
    """Facts of one log, each with the lines that said it, in order."""

    def __init__(self, values: dict[str, list[tuple[int, str]]], marks: Mapping[str, list[int]]) -> None:
        self.values = values
        self.marks = marks

    def first(self, name: str) -> str | None:
        """The first value said of a fact."""
        found = self.values.get(name)
        return found[0][1] if found else None

    def near(self, name: str, line: int) -> str | None:
        """The last value said up to a line, else the first one said at all."""
        found = self.values.get(name)
        if not found:
            return None
        before = [value for number, value in found if number <= line]
        return before[-1] if before else found[0][1]

    def at(self, name: str, line: int) -> str | None:
        """The value that this very line says."""
        return next((value for number, value in self.values.get(name, ()) if number == line), None)

    def names(self) -> list[str]:
        """Names of the facts that the log states."""
        return list(self.values)


def collect_facts(hits: Sequence[RawHit], book: Rulebook) -> Facts:
    """Facts and marks from the hits of fact patterns."""
    values: dict[str, list[tuple[int, str]]] = defaultdict(list)
    marks: dict[str, list[int]] = defaultdict(list)
    for hit in sorted(hits, key=lambda h: h.line):
        pattern = book.pattern(hit.pattern)
        for name, place in zip(pattern.names, pattern.places, strict=True):
            value = hit.groups[place - 1]
            if value is None:
                continue
            if name.startswith("mark_"):
                marks[name[5:]].append(hit.line)
                continue
            fact, text = _normal(name, shown_part(value, hit.text, 400).strip(" .,;'\""))
            if text and (not values[fact] or values[fact][-1][1] != text):
                values[fact].append((hit.line, text))
    return Facts({k: v for k, v in values.items() if v}, dict(marks))


def _normal(name: str, value: str) -> tuple[str, str]:
    if name == "tensorrt_token":
        return "tensorrt", tensorrt_version(value)
    if name == "ir":
        return name, value.removeprefix("0.0.")
    if name in ("precision", "precision_flag"):
        return "precision", value.lower().lstrip("-")
    if name == "cc" and len(value) == 2 and value.isdigit():
        return name, f"{value[0]}.{value[1]}"
    if name == "model":
        return name, value.rstrip(":")
    return name, value


def tensorrt_version(token: str) -> str:
    """``8601`` is 8.6.1 and ``100300`` is 10.3.0: from 10.0 on the major counts ten thousands."""
    number = int(token)
    if number < 10000:
        return f"{number // 1000}.{number // 100 % 10}.{number % 100}"
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
