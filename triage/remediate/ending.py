"""How a repair ended, in a word and a sentence: cured, moved-on, not-cured, nothing-to-try or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from triage.knowledge import Knowledge
from triage.remediate import plan
from triage.remediate.state import State
from triage.remedy import Attempt, ByHand, Refusal, Step


class Seen(NamedTuple):
    """What the search saw: the build as it was and as it ended, what was tried, refused, left out or for a person."""

    start: State | None
    best: State | None
    attempts: Sequence[Attempt]
    refusals: Sequence[Refusal]
    skipped: Sequence[Step]
    hands: tuple[ByHand, ...]
    knowledge: Knowledge
    fixes: Sequence[plan.Known]
    over: bool


def ending(seen: Seen) -> tuple[str, str]:
    """(status, why) of a repair."""
    start, best = seen.start, seen.best
    if start is None or best is None:
        return "not-cured", "interrupted before the build was run"
    if start.good:
        return "nothing-to-try", "the build succeeds here; there is nothing to repair"
    if best.good:
        verified = best.proof is not None and best.proof.verified
        return "cured", "cured and proven" if verified else "it builds; the outputs were not compared"
    return _half_way(seen, start, best) if best.path else _nothing_helped(seen, start)


def _half_way(seen: Seen, start: State, best: State) -> tuple[str, str]:
    """One failure is gone, and the one behind it stays."""
    words = f"{start.cause} is cured; what fails now is {best.cause}"
    if best.refused:
        return "refused", f"{words}: {best.refused[0].why}"
    by_hand = plan.by_hand(best.cause, seen.knowledge, seen.fixes)
    tried = any(attempt.parent == best.path[-1] and attempt.result != "not-run" for attempt in seen.attempts)
    if by_hand and not tried and not seen.over:
        return "refused", f"{words}, which cannot be repaired on a copy. By hand: {by_hand[0][1]}"
    return "moved-on", words


def _nothing_helped(seen: Seen, start: State) -> tuple[str, str]:
    ran = [attempt for attempt in seen.attempts if attempt.result != "not-run"]
    if seen.refusals:
        return "refused", seen.refusals[0].why
    if ran and any(_answers(seen, attempt.step.fix, start.cause) for attempt in ran):
        return "not-cured", f"{len(ran)} attempt{'s' if len(ran) > 1 else ''} did not cure {start.cause}"
    if seen.skipped:
        return "nothing-to-try", "only unsafe repairs are left: --unsafe tries them"
    if seen.hands:
        stopped = next((one for one in seen.attempts if _answers(seen, one.step.fix, start.cause)), None)
        why = f"{stopped.why}. Tried: {stopped.step.what}" if stopped and stopped.why else ""
        return "refused", why or f"{start.cause} cannot be repaired on a copy. By hand: {seen.hands[0].title}"
    if ran:
        return "not-cured", f"no repair is known for {start.cause}, and what else was tried did not help"
    return "nothing-to-try", f"no repair is known for {start.cause}"


def _answers(seen: Seen, fix: str, cause: str | None) -> bool:
    """Whether a fix is meant for a cause; others are tried for a defect that they see in the files."""
    listed = seen.knowledge.article(cause).fixes if cause is not None and cause in seen.knowledge.ids() else ()
    return any(one.id == fix for one in listed) or any(one.id == fix and cause in one.causes for one in seen.fixes)
