"""A run against the one before it: cured · moved-on · same · worse, with the reason in words."""

from __future__ import annotations

from triage.remediate.state import State

_STAGES = ("export", "convert", "quantize", "build", "load", "run", "serve", "accuracy")


def judge(before: State, after: State) -> tuple[str, str]:
    """(result, why) of an attempt that was run."""
    if after.good:
        verified = after.proof.verified if after.proof else None
        return (
            "cured",
            "it builds and its outputs are right" if verified else "it builds; its outputs were not compared",
        )
    result = after.result
    if result and result.good:
        how = after.proof.how if after.proof else "its outputs differ"
        return "worse", f"rejected: the command succeeds, but {how}"
    if result and result.ended != "exit" and not (before.result and before.result.ended == result.ended):
        return "worse", f"the run was stopped: {result.why}"
    if _same(before, after):
        return "same", f"the same failure: {after.cause}"
    if _rank(after) < _rank(before):
        return "worse", f"it now fails earlier, at {_stage(after)}: {after.cause}"
    return "moved-on", f"{before.cause} is gone; now {after.cause}"


def _same(before: State, after: State) -> bool:
    if after.cause != before.cause:
        return after.signature is not None and after.signature == before.signature
    return after.signature == before.signature and _said(after) == _said(before)


def _said(state: State) -> dict[str, str]:
    """What the rule captured, without what names the place of the copy."""
    return {
        key: value.replace(state.ran.root if state.ran else "\0", "") for key, value in state.found().captures.items()
    }


def _stage(state: State) -> str:
    incident = state.incident
    return (incident.stage if incident else None) or "an unknown stage"


def _rank(state: State) -> int:
    stage = _stage(state)
    return _STAGES.index(stage) if stage in _STAGES else len(_STAGES)
