"""Facts that follow from facts by the tables: which release prints this line number, which GPU has which capability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.ingest.facts import Facts
from triage.knowledge import Knowledge

# what the log says, table, its key column, column that gives the wanted fact, wanted fact
_LOOKUPS: tuple[tuple[str, str, str, str, str], ...] = (
    ("ort_line", "onnxruntime-fingerprint", "line", "first-last", "onnxruntime"),
    ("triton_line", "triton-fingerprint", "line", "first-last", "container"),
    ("container", "triton-releases", "container", "server", "triton"),
    ("container", "triton-releases", "container", "tensorrt", "tensorrt"),
    ("gpu", "gpu-compute-capability", "pattern", "cc", "cc"),
)


def derive(facts: Facts, knowledge: Knowledge) -> None:
    """Adds what the tables know; what the log says itself is never replaced."""
    known = knowledge.tables()
    for said, table, key, column, wanted in _LOOKUPS:
        if said not in facts.values or wanted in facts.values or table not in known:
            continue
        line, value = facts.values[said][0]
        row = _row(knowledge.table(table), key, value)
        found = _value(row, column) if row else None
        if found:
            facts.values[wanted] = [(line, found)]


def _row(rows: list[dict[str, Any]], key: str, value: str) -> Mapping[str, Any] | None:
    if key != "pattern":
        return next((row for row in rows if str(row.get(key)) == value), None)
    from triage.rulebook.patterns import compile_line

    text = value.encode()
    return next((row for row in rows if row.get(key) and compile_line(row[key]).search(text)), None)


def _value(row: Mapping[str, Any], column: str) -> str | None:
    if column != "first-last":
        return str(row[column]) if row.get(column) else None
    first, last = row.get("first"), row.get("last")
    if first == last or not last:
        return str(first) if last else None
    return f"{first}-{last}"
