"""The captured operator is a standard ONNX operator at some opset."""

from __future__ import annotations

from collections.abc import Mapping

from triage.diagnose.predicates import Context


def refusal(argument: str, captures: Mapping[str, str], context: Context) -> str | None:
    """Refuses a name that no opset of ai.onnx or ai.onnx.ml defines."""
    name = captures.get(argument) or context.facts.first("op")
    if not name:
        return "the log does not name the operator"
    if name not in operator_names(context):
        return f"{name} is no standard ONNX operator"
    return None


def operator_names(context: Context) -> frozenset[str]:
    """Names of all standard operators."""
    return frozenset(row["name"] for row in context.knowledge.table("onnx-operators"))
