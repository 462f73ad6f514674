"""The captured operator is not a standard ONNX operator at any opset."""

from __future__ import annotations

from collections.abc import Mapping

from triage.diagnose.predicates import Context
from triage.diagnose.predicates.standard_operator import operator_names


def refusal(argument: str, captures: Mapping[str, str], context: Context) -> str | None:
    """Refuses a name that some opset of ai.onnx or ai.onnx.ml defines."""
    name = captures.get(argument) or context.facts.first("op")
    if not name:
        return "the log does not name the operator"
    if name in operator_names(context):
        return f"{name} is a standard ONNX operator"
    return None
