"""The model's opset is above what the tool version in the log reads."""

from __future__ import annotations

from collections.abc import Mapping

from triage.diagnose.opsets import readable_opset
from triage.diagnose.predicates import Context


def refusal(argument: object, captures: Mapping[str, str], context: Context) -> str | None:
    """Computed from the captured or logged opset and the tables by version."""
    opset, limit, who = readable_opset(captures, context.facts, context.knowledge)
    if opset is None:
        return "the log does not say which opset the model has"
    if limit is None:
        return f"the log does not say which version reads opset {opset}"
    if opset <= limit:
        return f"opset {opset} is read by {who}, which goes up to {limit}"
    return None


def derived(argument: object, captures: Mapping[str, str], context: Context) -> dict[str, str]:
    """Opset, limit and reader, and the sentence that compares them."""
    opset, limit, who = readable_opset(captures, context.facts, context.knowledge)
    if opset is None or limit is None:
        return {}
    fact = f"The model has opset {opset}; {who} reads up to {limit}."
    return {"opset": str(opset), "limit": str(limit), "reader": who, "fact": fact}
