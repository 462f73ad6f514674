"""What to try, in which order: fixes of the named causes as their articles list them, then those that see a defect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from triage import discovery
from triage.knowledge import Knowledge

PACKAGE = "triage.fixes"
VAGUE = ("unknown", "output-mismatch")  # they do not say what to look for: a defect that is seen goes before guesses


class Known(NamedTuple):
    """A fix's own description."""

    id: str
    title: str
    causes: tuple[str, ...]
    safety: str
    evident: bool


def known_fixes() -> list[Known]:
    """Every fix there is, by its module; the id is written with underscores."""
    found = []
    for name in discovery.names(PACKAGE):
        module = discovery.load(PACKAGE, name)
        title = (module.__doc__ or name).strip().split("\n")[0].rstrip(".")
        found.append(
            Known(name.replace("-", "_"), title, tuple(module.CAUSES), module.SAFETY, getattr(module, "EVIDENT", False))
        )
    return found


def order(causes: Sequence[str], knowledge: Knowledge, fixes: Sequence[Known], worked: Sequence[str] = ()) -> list[str]:
    """Ids of the fixes to ask, the likeliest first.

    Args:
        causes: what the diagnosis named, the best first.
        knowledge: the catalogue, whose articles list their fixes in order.
        fixes: all that exist.
        worked: fixes that cured this very failure before.
    """
    there = {fix.id for fix in fixes}
    wanted = [fix for fix in worked if fix in there]
    if causes and causes[0] in VAGUE:
        wanted += [fix.id for fix in fixes if fix.evident]
    for cause in causes:
        if cause in knowledge.ids():
            wanted += [fix.id for fix in knowledge.article(cause).fixes if fix.id in there]
        wanted += [fix.id for fix in fixes if cause in fix.causes]
    wanted += [fix.id for fix in fixes if fix.evident]
    return list(dict.fromkeys(wanted))


def by_hand(cause: str | None, knowledge: Knowledge, fixes: Sequence[Known]) -> list[tuple[str, str]]:
    """(id, title) of what only a person can do about a cause, as its article says."""
    if cause is None or cause not in knowledge.ids():
        return []
    there = {fix.id for fix in fixes}
    return [
        (fix.id, fix.title) for fix in knowledge.article(cause).fixes if fix.safety == "manual" and fix.id not in there
    ]
