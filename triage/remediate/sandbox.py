"""Fixes look and work in a child process with limits: a crash, a hang or a missing package is an answer too."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triage.backends._child import run
from triage.remediate.state import State
from triage.remedy import BuildResult, BuildSpec, Limits, Recipe, Refusal, Step
from triage.site import LONGEST_LOG

PROPOSE, APPLY = Limits(seconds=180.0), Limits(seconds=600.0)
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Proposed(NamedTuple):
    """What fixes said: steps to try, refusals by fix, and fixes that broke by fix."""

    steps: tuple[Step, ...]
    refusals: tuple[tuple[str, Refusal], ...]
    failed: tuple[tuple[str, str], ...]


class Applied(NamedTuple):
    """What came of applying: the command from now on, or why nothing was changed."""

    command: tuple[str, ...] | None
    why: str = ""


def propose(fixes: Sequence[str], state: State, recipe: Recipe, scratch: str) -> Proposed:
    """Asks fixes, in order, what they would do here.

    Args:
        fixes: ids.
        state: the build as it stands.
        recipe: what may be changed.
        scratch: an existing folder for requests, answers and logs.
    """
    steps: list[Step] = []
    refusals: list[tuple[str, Refusal]] = []
    failed: list[tuple[str, str]] = []
    left = list(fixes)
    while left:
        lines, result = _ask({"action": "propose", "fixes": left}, state, recipe, scratch, PROPOSE)
        begun = [line["begun"] for line in lines if "begun" in line]
        for line in lines:
            if "proposal" in line:
                steps.append(_step(line["fix"], line["proposal"]))
            elif "refusal" in line:
                refusals.append((line["fix"], Refusal(**line["refusal"])))
            elif "failed" in line:
                failed.append((line["fix"], line["failed"]))
        if result.good:
            break
        culprit = begun[-1] if begun else left[0]
        failed.append((culprit, _ending(result)))
        left = left[left.index(culprit) + 1 :]
    order = {fix: place for place, fix in enumerate(fixes)}
    return Proposed(tuple(sorted(steps, key=lambda step: order[step.fix])), tuple(refusals), tuple(failed))


def apply(step: Step, state: State, recipe: Recipe, scratch: str) -> Applied:
    """Applies a step to the state's workspace."""
    request = {"action": "apply", "fix": step.fix, "parameters": dict(step.parameters)}
    lines, result = _ask(request, state, recipe, scratch, APPLY)
    state.changed()
    for line in lines:
        if line.get("done"):
            return Applied(tuple(line["command"]))
        if "cannot" in line:
            return Applied(None, line["cannot"])
        if "failed" in line:
            return Applied(None, line["failed"])
    return Applied(None, _ending(result))


def _step(fix: str, proposal: Mapping[str, Any]) -> Step:
    return Step(
        fix, proposal["what"], proposal["parameters"], proposal["safety"], proposal["keeps"],
        proposal.get("guess", False),
    )  # fmt: skip


def _ask(
    request: Mapping[str, Any], state: State, recipe: Recipe, scratch: str, limits: Limits
) -> tuple[list[dict[str, Any]], BuildResult]:
    given, answer = os.path.join(scratch, "request.json"), os.path.join(scratch, "answer.jsonl")
    with open(given, "w", encoding="utf-8") as stream:
        json.dump({**request, "site": _site(state, recipe)}, stream, default=str)
    with open(answer, "w", encoding="utf-8"):
        pass
    path = os.pathsep.join(filter(None, (_OURS, os.environ.get("PYTHONPATH"))))
    spec = BuildSpec(
        (sys.executable, "-m", "triage.fixes._worker", given, answer), state.workspace.root,
        os.path.join(scratch, "fix.log"), limits, {"PYTHONPATH": path, "TMPDIR": scratch}, state.workspace.origin,
    )  # fmt: skip
    result = run(spec)
    with open(answer, encoding="utf-8") as stream:
        return list(_lines(stream.read())), result


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.split("\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _site(state: State, recipe: Recipe) -> dict[str, Any]:
    return {
        "root": state.workspace.root,
        "origin": state.workspace.origin,
        "command": list(state.command),
        "files": list(recipe.files),
        "protected": list(recipe.protected),
        "outputs": list(recipe.outputs),
        "verify": recipe.verify._asdict() if recipe.verify else {},
        "target": recipe.target,
        "built": state.ran.root if state.ran else None,
        "found": state.found()._asdict(),
        "log": _log(state.result.log) if state.result else "",
    }


def _log(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read(LONGEST_LOG * 8)
    return text if len(text) <= LONGEST_LOG else text[: LONGEST_LOG // 2] + "\n" + text[-LONGEST_LOG // 2 :]


def _ending(result: BuildResult) -> str:
    if result.ended != "exit":
        return f"the fix was stopped: {result.why}"
    with open(result.log, encoding="utf-8", errors="replace") as stream:
        lines = [line.strip() for line in stream if line.strip()]
    if result.exit_code > 128:
        return f"the fix's process ended: {lines[-1] if lines else result.exit_code}"
    last = lines[-2:-1]
    return f"the fix's process ended with exit code {result.exit_code}{': ' + last[0][:200] if last else ''}"
