"""The recipe's own reference: a model file, or ``torch:module:function``, against what the build wrote."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from triage.compare.feeds import SPARE, USUAL, Input, alike, feeds_for, shaped
from triage.compare.files import Places, changed_files, copy_of_build
from triage.compare.models import Reference, Side, Two, before_and_after, feeds_give, side_of, twins_of
from triage.compare.run import ALL, Runner, Runs, can_import
from triage.compare.tolerance import Tolerance, precisions_of, tolerance_for
from triage.compare.verdict import compare
from triage.remedy import Proof, Recipe, Verify

if TYPE_CHECKING:
    from triage.compare.feeds import Feed

_TORCH_FILES = (".pt", ".pth", ".ts", ".pt2", ".torchscript")


def against_reference(recipe: Recipe, verify: Verify, places: Places, models: Sequence[str], runner: Runner) -> Proof:
    """Compares the build's model with the reference that the recipe names.

    Args:
        recipe: the build.
        verify: its check, with a reference.
        places: where the build's copies are.
        models: ONNX files that the build wrote or uses, the likeliest first; absolute.
        runner: starts children.
    """
    told = str(verify.reference)
    if not models:
        return Proof(None, "the build leaves no ONNX file that could be compared with the reference", told)
    try:
        given = given_feeds(verify, places.base)
        sides = [side_of(path) for path in models]
    except (ValueError, OSError) as fault:
        return Proof(None, f"nothing could be compared: {fault}", told)
    after = _fitting(sides, given)
    name = os.path.relpath(after.path, places.ran)
    if told.startswith("torch:"):
        return _against_torch(told, name, after, verify, places, given, runner)
    path = os.path.join(places.base, told)
    if told.endswith(_TORCH_FILES):
        return _with_runs(name, after, verify, given, runner, told, {"model": path}, places.base)
    if not told.endswith(".onnx"):
        return Proof(None, f"a reference of this kind cannot be run: {told}", told)
    return before_and_after(Two(name, path, after.path, f"the reference {told}"), runner, given, verify)


def given_feeds(verify: Verify, folder: str) -> list[tuple[str, Feed]]:
    """The feed that a recipe gives as an ``.npz`` file, and others like it; none where it gives none.

    Raises:
        ValueError: the file holds no plain arrays.
        OSError: it cannot be read.
    """
    if not isinstance(verify.inputs, str):
        return []
    import numpy as np

    with np.load(os.path.join(folder, verify.inputs)) as stored:
        feed = {name: stored[name] for name in stored.files}
    others = [(f"values like those of {verify.inputs}, seed {seed}", alike(feed, seed)) for seed in range(1, 5)]
    return [(verify.inputs, feed), *others]


def _fitting(sides: Sequence[Side], given: Sequence[tuple[str, Feed]]) -> Side:
    """The model whose inputs the feeds name, else the first."""
    names = set(given[0][1]) if given else set()
    return next((side for side in sides if names == {each.name for each in side.inputs}), sides[0])


def _against_torch(
    told: str, name: str, after: Side, verify: Verify, places: Places, given: Sequence[tuple[str, Feed]], runner: Runner
) -> Proof:
    """The reference's code is taken as the user has it; where that does not run, as it is after the fix."""
    _, module, function = told.split(":", 2) if told.count(":") >= 2 else ("", "", "")
    if not module or not function:
        return Proof(None, f"{told} must be torch:module:function", told)
    asked = {"module": module, "function": function}
    proof = Proof(None, "", told)
    code = any(path.endswith(".py") for path in changed_files(places.base, places.fixed).all)
    later = ((places.fixed, "; the reference's code is that of the repaired copy"),) if code else ()
    for place, words in ((places.base, ""), *later):
        folder = copy_of_build(place, runner)
        proof = _with_runs(name, after, verify, given, runner, told, asked, folder)
        if proof.verified is not None:
            return proof._replace(how=proof.how + words)
    return proof


def _with_runs(
    name: str, after: Side, verify: Verify, given: Sequence[tuple[str, Feed]], runner: Runner, told: str,
    asked: dict[str, str], folder: str,
) -> Proof:  # fmt: skip
    inputs = after.inputs
    if verify.inputs and not isinstance(verify.inputs, str):
        inputs = shaped(inputs, verify.inputs)
    try:
        ways = [list(given)] if given else [list(feeds_for(inputs, draws)) for draws in (USUAL, SPARE)]
    except ValueError as fault:
        return Proof(None, str(fault), told)
    for feeds in ways:
        reference = _torch_runs(feeds, inputs, runner, asked, folder)
        if reference.runs.ran or reference.runs.error:
            break
    if not reference.runs.ran:
        return Proof(None, f"the reference {told} cannot be run: {reference.runs.why}", told)
    limits = tolerance_for((), precisions_of(after.model), verify.rtol, verify.atol)
    return _against_runs(name, after, reference, limits, runner, told)


def _torch_runs(
    feeds: Sequence[tuple[str, Feed]], inputs: Sequence[Input], runner: Runner, asked: dict[str, str], folder: str
) -> Reference:
    stored, count = runner.store([*feeds, *twins_of(feeds, inputs)]), len(feeds)
    body = {"engine": "torch", "enough": ALL, **asked}
    (runs,) = runner.answers(_with_torch(runner), body, stored, folder)
    first, second = runs._replace(results=runs.results[:count]), runs._replace(results=runs.results[count:])
    return Reference(first, stored[:count], second)


def _against_runs(name: str, after: Side, reference: Reference, limits: Tolerance, runner: Runner, told: str) -> Proof:
    """The file, without and with optimisations, against what the reference gave."""
    both = runner.plain_and_optimised(after.path, reference.feeds)
    error = both[0].error or both[1].error
    if error:
        return Proof(None, f"ONNX Runtime cannot load {name}: {error}", told)
    for runs in both:
        failed = next((place for place in reference.runs.ran if runs.results[place].outputs is None), None)
        if failed is not None:
            return Proof(False, f"{name} fails where the reference answers: {runs.results[failed].error}", told)
    verdict = compare([pair for runs in both for pair in _same_names(reference, runs).pairs(runs)], limits)
    count = feeds_give(len(reference.runs.ran))
    words = (
        "the outputs prove nothing" if verdict.equal is None else f"{count} the same outputs as the reference {told}"
    )
    how = "; ".join((verdict.why if verdict.equal is False else words, *verdict.remarks))
    return Proof(verdict.equal, f"{name}: {how}", f"{told}, by {reference.runs.engine}", verdict.rows)


def _same_names(reference: Reference, deployed: Runs) -> Reference:
    """Outputs of a function have no names, or others: then they stand in order."""
    names = next(([name for name, _ in one.outputs] for one in deployed.results if one.outputs), [])

    def renamed(runs: Runs) -> Runs:
        results = [
            one._replace(outputs=tuple(zip(names, (array for _, array in one.outputs), strict=True)))
            if one.outputs and len(one.outputs) == len(names) and not {name for name, _ in one.outputs} & set(names)
            else one
            for one in runs.results
        ]
        return runs._replace(results=tuple(results))

    return reference._replace(runs=renamed(reference.runs), twins=renamed(reference.twins))


def _with_torch(runner: Runner) -> str:
    path = runner.environment.get("PATH", os.environ.get("PATH"))
    for program in (shutil.which("python", path=path), shutil.which("python3", path=path)):
        if program and can_import(program, "torch", runner.environment):
            return program
    return sys.executable
