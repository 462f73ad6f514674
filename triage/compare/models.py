"""ONNX files that a fix changed: the model before against the model after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.compare.batches import joined_batches
from triage.compare.feeds import SPARE, USUAL, Input, feeds_for, inputs_of, shaped, together
from triage.compare.run import Result, Runner, Runs, Stored
from triage.compare.structure import same_computation
from triage.compare.tolerance import Tolerance, precisions_of, tolerance_for
from triage.compare.verdict import Pair, Verdict, compare
from triage.compare.weights import changed_weights
from triage.remedy import Proof, Verify

if TYPE_CHECKING:
    from triage.compare.feeds import Feed

_ENOUGH = 4  # feeds that are compared where the usual sizes do not fit
_ENOUGH_SLOW = 3  # onnx.reference computes slowly
_LAST_BITS = {"float64": 2.0**-45, "float32": 2.0**-21, "float16": 2.0**-8, "bfloat16": 2.0**-8}


class Two(NamedTuple):
    """Two ONNX files of which one stands for the other: their absolute paths, and what to call them."""

    name: str
    before: str
    after: str
    what: str = "the model before"


class Side(NamedTuple):
    """A model as it was read, without its weights."""

    path: str
    model: Any
    inputs: list[Input]


class Reference(NamedTuple):
    """What a reference gave for which feeds, and for the same feeds with other last bits.

    ``random``: the same feed gave other numbers when it was run again.
    """

    runs: Runs
    feeds: list[Stored]
    twins: Runs
    random: bool = False

    def pairs(self, deployed: Runs) -> list[Pair]:
        """The feeds that both sides answered."""
        found = []
        for place in self.runs.ran:
            want, got = self.runs.results[place].outputs, deployed.results[place].outputs
            if want is not None and got is not None:
                twin = self.twins.results[place].outputs if place < len(self.twins.results) else None
                found.append(Pair(self.feeds[place].label, want, got, twin))
        return found


def side_of(path: str) -> Side:
    """Reads an ONNX file.

    Raises:
        ValueError: it is none, or not whole.
        OSError: it cannot be read.
    """
    from triage.onnxgraph.files import load

    model = load(path, weights=False)
    return Side(path, model, inputs_of(model))


def before_and_after(
    two: Two, runner: Runner, given: Sequence[tuple[str, Feed]] = (), verify: Verify | None = None
) -> Proof:
    """Compares a model with one that stands for it.

    Args:
        two: the files.
        runner: starts children.
        given: (label, feed) to use in place of made ones.
        verify: the recipe's tolerance and shapes of inputs.
    """
    try:
        after, before = side_of(two.after), side_of(two.before)
    except (ValueError, OSError) as fault:
        return Proof(None, f"{two.name} and {two.what} cannot both be read: {fault}")
    names, unknown = _names(before.inputs, after.inputs)
    if unknown:
        return Proof(None, f"{two.name}: the model now wants an input that it did not have: {', '.join(unknown)}")
    back = {new: old for old, new in names.items()}
    given = [(label, _in_order(feed, before.inputs)) for label, feed in given]
    both = together(before.inputs, [each._replace(name=back.get(each.name, each.name)) for each in after.inputs])
    if verify and verify.inputs and not isinstance(verify.inputs, str):
        both = shaped(both, verify.inputs)
    try:
        reference = reference_runs(before.path, both, runner, given)
    except ValueError as fault:
        return _by_structure(two, str(fault))
    if not reference.runs.ran:
        return _by_structure(two, reference.runs.why)
    if reference.random:
        return Proof(None, f"{two.name}: {two.what} gives other numbers each time it is run, so they prove nothing")
    limits = tolerance_for(precisions_of(before.model), precisions_of(after.model), *_given(verify))
    return _Case(two, runner, reference, names, (before, after), limits).proof(before, after)


def _in_order(feed: Feed, inputs: Sequence[Input]) -> Feed:
    """The feed under the model's names, where it has others but as many arrays."""
    names = [each.name for each in inputs]
    return feed if set(feed) >= set(names) or len(feed) != len(names) else dict(zip(names, feed.values(), strict=True))


def _given(verify: Verify | None) -> tuple[float | None, float | None]:
    return (verify.rtol, verify.atol) if verify else (None, None)


def reference_runs(
    path: str, inputs: Sequence[Input], runner: Runner, given: Sequence[tuple[str, Feed]] = ()
) -> Reference:
    """Runs a model as a reference: by ONNX Runtime without optimisations, else by onnx.reference.

    Args:
        path: the model.
        inputs: what feeds are made from.
        runner: starts children.
        given: (label, feed) to use in place of made ones.

    Raises:
        ValueError: no feed can be made.
    """
    feeds = list(given) or list(feeds_for(inputs, USUAL))
    found = Reference(Runs("", ()), [], Runs("", ()))
    for engine, most in (("onnxruntime", len(feeds)), ("reference", _ENOUGH_SLOW)):
        tried = _with_twins(path, inputs, runner, feeds[:most], engine)
        if not tried.runs.ran and not tried.runs.error and not given:
            spare = list(feeds_for(inputs, SPARE))
            took = runner.model(path, runner.store(spare), engine=engine, enough=min(_ENOUGH, most)).ran
            if took:
                tried = _with_twins(path, inputs, runner, [spare[place] for place in took], engine)
        if tried.runs.ran:
            return tried
        found = tried if not found.runs.why or found.runs.why == "it was not run" else found
    return found._replace(runs=found.runs._replace(error=found.runs.why.replace(path, os.path.basename(path))))


def _with_twins(
    path: str, inputs: Sequence[Input], runner: Runner, feeds: Sequence[tuple[str, Feed]], engine: str
) -> Reference:
    """The feeds and their twins; where no input is a float, what optimising changes stands for rounding."""
    stored, twins = runner.store(feeds), twins_of(feeds, inputs)
    runs = runner.model(path, [*stored, *runner.store(twins), *stored], engine=engine)
    count = len(stored)
    first, second = runs._replace(results=runs.results[:count]), runs._replace(results=runs.results[count:-count])
    if not twins and first.ran and engine == "onnxruntime":
        second = runner.model(path, stored, optimise=True)
    again = [compared.equal for compared in _again(first, runs.results[-count:])]
    return Reference(first, stored, second, random=False in again)


def _again(first: Runs, second: Sequence[Result]) -> list[Verdict]:
    exact = Tolerance(1e-3, 1e-5, given=True)
    pairs = [Pair("", one.outputs, two.outputs) for one, two in zip(first.results, second, strict=False)
             if one.outputs is not None and two.outputs is not None]  # fmt: skip
    return [compare([pair], exact) for pair in pairs]


def twins_of(feeds: Sequence[tuple[str, Feed]], inputs: Sequence[Input]) -> list[tuple[str, Feed]]:
    """The same feeds with the last bits of their floats changed; none where there are no floats."""
    changed = [_last_bits(feed, inputs) for _, feed in feeds]
    if not any(changed):
        return []
    return [(label, other or feed) for (label, feed), other in zip(feeds, changed, strict=True)]


def _last_bits(feed: Feed, inputs: Sequence[Input]) -> Feed | None:
    import numpy as np

    bits = {each.name: _LAST_BITS.get(each.kind or "", _LAST_BITS["float32"]) for each in inputs}
    random = np.random.default_rng(7)
    changed = {
        name: (array * (1 + bits.get(name, _LAST_BITS["float32"]) * random.uniform(-1, 1, array.shape))).astype(
            array.dtype
        )
        for name, array in feed.items()
        if array.dtype.kind == "f" and array.size and not np.array_equal(array, np.floor(array))
    }
    return {**feed, **changed} if changed else None


def _names(before: Sequence[Input], after: Sequence[Input]) -> tuple[dict[str, str], list[str]]:
    """Names before -> after, and names after that nothing before stands for."""
    known = {each.name for each in before}
    new = [each for each in after if each.name not in known]
    still = {each.name for each in after}
    gone = [each for each in before if each.name not in still]
    if len(gone) >= len(new) and all(_alike(old, one) for old, one in zip(gone, new, strict=False)):
        return {old.name: one.name for old, one in zip(gone, new, strict=False)}, []
    return {}, [each.name for each in new]


def _alike(one: Input, two: Input) -> bool:
    return one.dims is None or two.dims is None or len(one.dims) == len(two.dims)


def _by_structure(two: Two, why: str) -> Proof:
    """What can be said where the model before does not run: the graphs may still be the same computation."""
    different = same_computation(two.before, two.after)
    if different:
        return Proof(None, f"{two.name}: {two.what} cannot be run ({why}), and {different}")
    return Proof(
        True,
        f"{two.name} holds the same operators on the same weights in the same wiring as {two.what}, and so computes "
        f"the same (compared as graphs: {two.what} cannot be run, {why})",
        two.what,
    )


def feeds_give(count: int) -> str:
    """The beginning of a sentence about feeds."""
    return "one feed gives" if count == 1 else f"{count} feeds give"


class _Case:
    """One comparison of a model before with the model after."""

    def __init__(
        self, two: Two, runner: Runner, reference: Reference, names: dict[str, str], sides: tuple[Side, Side],
        tolerance: Tolerance,
    ) -> None:  # fmt: skip
        self.two = two
        self.precisions = precisions_of(sides[0].model) | precisions_of(sides[1].model)
        self.runner = runner
        self.reference = reference
        self.names = names
        self.tolerance = tolerance

    def proof(self, before: Side, after: Side) -> Proof:
        feeds = [feed.renamed(self.names) for feed in self.reference.feeds]
        plain, deployed = self.runner.plain_and_optimised(after.path, feeds)
        if deployed.error or plain.error:
            return self._by_reference(after, deployed.error or plain.error)
        batches = joined_batches(before, after, self.runner, self.names, self._engine())
        fault = self._failure(plain) or self._failure(deployed) or batches.fault
        if fault:
            return self._said(False, fault)
        same = compare([*self.reference.pairs(plain), *batches.pairs], self.tolerance)
        if same.equal is False:
            return self._by_one_program(after, same, batches.pairs)
        optimised = compare(self.reference.pairs(deployed), self.tolerance)
        if optimised.equal is False:
            return self._both_optimised(optimised, deployed, batches.remarks)
        unseen = self._unseen_weights(before, after) if same.equal and not self.tolerance.given else []
        if unseen:
            how = f"the feeds give the same outputs, but not every part of the weights: {'; '.join(unseen[:3])}"
            return self._said(None, how, same)
        return self._told(same, *batches.remarks)

    def _failure(self, runs: Runs) -> str:
        """Where the model does not answer though the reference does."""
        failed = next((place for place in self.reference.runs.ran if runs.results[place].outputs is None), None)
        if failed is None:
            return ""
        label = self.reference.feeds[failed].label
        return f"{self.two.what} answers ({label}), the model now fails: {runs.results[failed].error}"

    def _unseen_weights(self, before: Side, after: Side) -> list[str]:
        folders = os.path.dirname(before.path), os.path.dirname(after.path)
        return changed_weights(before.model, after.model, folders)

    def _by_evaluator(self, path: str) -> list[Pair]:
        """What onnx.reference gives for a model."""
        feeds = [feed.renamed(self.names) for feed in self.reference.feeds]
        deployed = self.runner.model(path, feeds, engine="reference")
        return self.reference.pairs(deployed) if deployed.results else []

    def _engine(self) -> str:
        return "reference" if self.reference.runs.engine.startswith("onnx.reference") else "onnxruntime"

    def _by_reference(self, after: Side, why: str) -> Proof:
        """ONNX Runtime cannot load the model now: it is meant for something else."""
        pairs = self._by_evaluator(after.path)
        if not pairs:
            return _by_structure(self.two, f"ONNX Runtime cannot load the model now: {why}")
        verdict = compare(pairs, self.tolerance)
        return self._told(verdict, "by onnx.reference: ONNX Runtime cannot load the model now")

    def _by_one_program(self, after: Side, verdict: Verdict, further: Sequence[Pair]) -> Proof:
        """The outputs differ: where onnx.reference was the reference, it may be another program, not the change."""
        if self._engine() == "reference":
            pairs = self._by_evaluator(after.path)
            if pairs and compare([*pairs, *further], self.tolerance).equal:
                how = "onnx.reference gives the same numbers as before, ONNX Runtime others"
                return self._said(None, f"{how}: {verdict.why}")
            if "int8" in self.precisions:  # what a quantized value in a float's place was meant to be is not known
                how = "the model before is not valid, and onnx.reference may read it otherwise than it was meant"
                return self._said(None, f"{how}: {verdict.why}")
        return self._told(verdict)

    def _both_optimised(self, verdict: Verdict, deployed: Runs, remarks: Sequence[str]) -> Proof:
        """Only the optimised model differs; it may have done so before."""
        usual = self.runner.model(self.two.before, self.reference.feeds, optimise=True)
        pairs = self.reference._replace(runs=usual).pairs(deployed) if usual.ran else []
        if len(pairs) == len(self.reference.runs.ran):
            second = compare(pairs, self.tolerance)
            if second.equal:
                return self._told(second, *remarks, "with ONNX Runtime's optimisations other ones, as before")
        return self._told(verdict)

    def _told(self, verdict: Verdict, *remarks: str) -> Proof:
        runs = self.reference.runs
        if verdict.equal is False:
            how = f"the outputs differ from {self.two.what}: {verdict.why}"
        else:
            how = (
                f"{feeds_give(len(runs.ran))} the same outputs as {self.two.what}"
                if verdict.equal
                else "the outputs prove nothing"
            )
        return self._said(verdict.equal, "; ".join((how, *remarks, *verdict.remarks)), verdict)

    def _said(self, equal: bool | None, how: str, verdict: Verdict | None = None) -> Proof:
        return Proof(
            equal, f"{self.two.name}: {how}", f"{self.two.what}, by {self.reference.runs.engine}",
            tuple({"model": self.two.name, **row} for row in verdict.rows) if verdict else (),
        )  # fmt: skip
