"""A capture has, or has not, one of the given values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.diagnose.predicates import Context


def refusal(argument: Mapping[str, Any], captures: Mapping[str, str], context: Context) -> str | None:
    """``{name: code, in: [...]}`` or ``{name: code, not-in: [...]}``."""
    name = str(argument["name"])
    found = captures.get(name, "")
    if "in" in argument and found not in map(str, argument["in"]):
        return f"{name} is {found or 'not given'}"
    if "not-in" in argument and found in map(str, argument["not-in"]):
        return f"{name} is {found}"
    return None
