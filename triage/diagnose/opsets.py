"""Which opset a tool version reads, from the compat tables."""

from __future__ import annotations

from collections.abc import Mapping

from triage.ingest.facts import Facts
from triage.knowledge import Knowledge

# fact that holds the version, table, key column, limit column
_READERS = (
    ("tensorrt", "onnx-opset-by-tensorrt", "tensorrt", "opset_max"),
    ("onnxruntime", "onnx-opset-by-onnxruntime", "onnxruntime", "opset_max"),
)


def readable_opset(
    captures: Mapping[str, str], facts: Facts, knowledge: Knowledge
) -> tuple[int | None, int | None, str]:
    """(model opset, highest opset read, who reads it); None where the log does not say."""
    text = captures.get("opset") or facts.first("opset")
    opset = int(text) if text and text.isdigit() else None
    for fact, table, key, column in _READERS:
        version = captures.get("version") if captures.get("reader") == fact else facts.first(fact)
        if version:
            return opset, limit_for(version, knowledge.table(table), key, column), f"{fact} {version}"
    return opset, None, ""


def limit_for(version: str, rows: list[dict[str, object]], key: str, column: str) -> int | None:
    """The value of the row with the longest version prefix, else of the newest older release."""
    wanted = _numbers(version)
    best: tuple[tuple[int, ...], object] | None = None
    for row in rows:
        if row.get("verified") is False or row.get(column) is None:
            continue
        have = _numbers(str(row[key]))
        if have[:1] == wanted[:1] and have <= wanted[: len(have)] and (best is None or have >= best[0]):
            best = (have, row[column])
    return int(str(best[1])) if best else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())
