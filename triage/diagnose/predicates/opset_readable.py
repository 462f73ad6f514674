"""The model's opset is known and within what the tool version in the log reads."""

from __future__ import annotations

from collections.abc import Mapping

from triage.diagnose.opsets import readable_opset
from triage.diagnose.predicates import Context


def refusal(argument: object, captures: Mapping[str, str], context: Context) -> str | None:
    """Computed from the captured or logged opset and the tables by version."""
    opset, limit, who = readable_opset(captures, context.facts, context.knowledge)
    if opset is None or limit is None:
        return "the log does not say opset and version"
    if opset > limit:
        return f"opset {opset} is above {limit}, the highest that {who} reads"
    return None
