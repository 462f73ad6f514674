"""Conditions on captures that the tables of facts decide. One module a predicate.

A module has ``refusal(argument, captures, context) -> str | None``: the reason in
words why the condition does not hold, or ``None`` where it does. It may have
``derived(argument, captures, context) -> dict``: what the tables add to the captures;
the key ``fact`` holds a sentence that joins the rule's own.
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
        name, argument = _named(condition)
        reason: str | None = discovery.load(__name__, name).refusal(argument, captures, context)
        if reason:
            return reason
    return None


def derived(conditions: Sequence[Any], captures: Mapping[str, str], context: Context) -> dict[str, str]:
    """What the conditions' tables add to the captures."""
    added: dict[str, str] = {}
    for condition in conditions:
        name, argument = _named(condition)
        adds = getattr(discovery.load(__name__, name), "derived", None)
        if adds:
            added.update(adds(argument, captures, context))
    return added


def _named(condition: Any) -> tuple[str, Any]:
    if isinstance(condition, str):
        return condition, None
    name, argument = next(iter(condition.items()))
    return str(name), argument
