"""Where a repair was guessed: the other readings, and whether the recipe's check tells them apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triage.remediate.state import State
from triage.remedy import Refusal, Step

_RIVALS = 3  # other readings that are tried where a guessed one passes the check
_TODO = "say which of them is right, or let the check compare the outputs with stored ones"


def rivals(step: Step, state: State, waiting: Iterable[Step]) -> list[Step]:
    """Other readings of what a step guessed, to be tried too, for they may pass the check as well."""
    if not (step.guess and state.good and state.proof and state.proof.verified):
        return []
    return [other for other in waiting if other.fix == step.fix and other.guess][:_RIVALS]


def undecided(outputs: Sequence[str], one: tuple[Step, State], two: tuple[Step, State]) -> Refusal | None:
    """The refusal where the check takes both readings though they give different outputs; None where it does not."""
    if not two[1].good or _written(one[1], outputs) == _written(two[1], outputs):
        return None
    told = f"{one[0].what}; {two[0].what}"
    return Refusal(f"the recipe's check accepts two repairs that give different outputs: {told}", _TODO)


def _written(state: State, outputs: Sequence[str]) -> list[str | None]:
    """Digests of what the build wrote."""
    files = state.ran.files() if state.ran else {}
    return [files[name].digest if name in files else None for name in outputs]
