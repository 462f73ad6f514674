"""Conditions on captures that the tables of facts decide. One module a predicate.

A module has ``refusal(argument, captures, context) -> str | None``: the reason in
words why the condition does not hold, or ``None`` where it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from triage import discovery
from triage.ingest.facts import Facts
from triage.knowledge import Knowledge


class Context(NamedTuple):
    """What a predicate may ask besides the captures."""

    facts: Facts
    knowledge: Knowledge


def refusal(conditions: Sequence[Any], captures: Mapping[str, str], context: Context) -> str | None:
    """The first reason against, or None when all conditions hold."""
    for condition in conditions:
        if isinstance(condition, str):
            name, argument = condition, None
        else:
            name, argument = next(iter(condition.items()))
        reason: str | None = discovery.load(__name__, name).refusal(argument, captures, context)
        if reason:
            return reason
    return None
