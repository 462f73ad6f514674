"""The captured operator came into the standard only after the captured opset."""

from __future__ import annotations

from collections.abc import Mapping

from triage.diagnose.predicates import Context


def refusal(argument: str, captures: Mapping[str, str], context: Context) -> str | None:
    """Refuses an operator that is no standard one, or that the opset already had."""
    name = captures.get(argument) or context.facts.first("op")
    opset = captures.get("opset") or context.facts.first("opset")
    if not name or not opset or not opset.isdigit():
        return "the log does not name operator and opset"
    since = [min(row["since"]) for row in context.knowledge.table("onnx-operators") if row["name"] == name]
    if not since:
        return f"{name} is no standard ONNX operator"
    if min(since) <= int(opset):
        return f"{name} exists since opset {min(since)}"
    return None
