"""Scripts that export with torch.onnx.export: what the exported module computes against the exported file."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triage.backends.python_script import exports_onnx, program_of
from triage.compare.files import Places, copy_of_build
from triage.compare.models import Side, feeds_give, side_of
from triage.compare.run import HERE, Runner, Runs, Stored, arrays_of
from triage.compare.tolerance import Tolerance, precisions_of, tolerance_for
from triage.compare.verdict import Pair, Verdict, compare
from triage.remedy import Proof, Recipe, Verify
from triage.workspace import walk

_WATCH = os.path.join(HERE, "_watch_export.py")
_NARROW = {"float16": "fp16", "bfloat16": "bf16"}
_MOST_SCRIPTS = 2000


class Watched(NamedTuple):
    """One run of the build under watch: the folder of its records, and the folder in which it ran."""

    records: str
    folder: str
    good: bool
    why: str = ""

    def each(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(folder, record) of each export, in order."""
        for name in sorted(os.listdir(self.records)):
            path = os.path.join(self.records, name, "record.json")
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as stream:
                    yield os.path.dirname(path), json.load(stream)


def can_export(folder: str, command: Sequence[str]) -> bool:
    """Whether there is a sign that the build exports with torch.onnx.export: only then is one more run worth it."""
    if os.path.basename(command[0]).startswith("optimum"):
        return True
    scripts = (path for path, _ in zip(walk(folder), range(_MOST_SCRIPTS), strict=False) if path.endswith(".py"))
    return any(exports_onnx(os.path.join(folder, path)) for path in scripts)


def from_exports(recipe: Recipe, command: Sequence[str], places: Places, runner: Runner, *, keeps: bool) -> list[Proof]:
    """Runs the repaired build once more, watched, and compares each exported file with its module.

    Args:
        recipe: the build.
        command: as it is now.
        places: where the build's copies are.
        runner: starts children.
        keeps: whether the repair is meant to leave what is computed as it is.

    Returns:
        One proof a file, none where nothing is exported.
    """
    now = _watched(recipe, command, places.fixed, runner)
    found = {record.get("file") or str(place): (place, record) for place, record in now.each() if record["exported"]}
    if not found:
        return []
    if not now.good:
        return [Proof(None, f"the build does not end well when it is watched: {now.why}")]
    before = _watched(recipe, recipe.command, places.base, runner, replay=now.records)
    earlier = {record.get("target"): (place, record) for place, record in before.each()}
    exports = [_Export(now, place, record, runner, recipe.verify) for place, record in found.values()]
    proofs = [each.proof(earlier.get(each.record.get("target")), places, keeps=keeps) for each in exports]
    return [*proofs, *_derived(recipe, now, places, exports)]


def _derived(recipe: Recipe, now: Watched, places: Places, exports: Sequence[_Export]) -> Iterator[Proof]:
    """Files that the script made of an exported one: simplified, quantized, joined."""
    known = {export.relative for export in exports}
    for path in walk(now.folder):
        wanted = path in recipe.outputs
        new = not os.path.lexists(os.path.join(places.fixed, path))
        if not path.endswith(".onnx") or path in known or not (wanted or new):
            continue
        if len(exports) == 1:
            told = exports[0].of_file(path, os.path.join(now.folder, path))
            if told.verified is not None or wanted:
                yield told
        elif wanted:
            yield Proof(None, f"{path} is made of several exported files and was not compared")


def combined(proofs: Sequence[Proof]) -> Proof:
    """Several comparisons as one: proven where all are, wrong where one is."""
    said = [proof.verified for proof in proofs]
    verified = False if False in said else None if None in said else True
    return Proof(
        verified, "; ".join(dict.fromkeys(proof.how for proof in proofs)),
        ", ".join(dict.fromkeys(proof.reference for proof in proofs if proof.reference)),
        tuple(row for proof in proofs for row in proof.numbers),
    )  # fmt: skip


def _watched(recipe: Recipe, command: Sequence[str], folder: str, runner: Runner, replay: str | None = None) -> Watched:
    records, place = runner.folder("records"), copy_of_build(folder, runner)
    words = [word.replace(recipe.folder, place) for word in command]
    again = ("--replay", replay) if replay else ()
    program = program_of(words)
    environment = {}
    if program is not None:
        words = [*program.interpreter, _WATCH, records, *again, *program.words]
    else:
        environment = _injected(runner, records, again)
    result = runner.child(words, place, environment)
    return Watched(records, place, result.good, result.why or f"exit code {result.exit_code}")


def _injected(runner: Runner, records: str, again: Sequence[str]) -> dict[str, str]:
    """For builds that start Python somewhere inside: each Python process watches itself from its start."""
    place = runner.folder("site")
    text = (
        "import importlib.util as u\n"
        f"s = u.spec_from_file_location('_triage_watch_export', {_WATCH!r})\n"
        "m = u.module_from_spec(s)\ns.loader.exec_module(m)\n"
        f"m.watch({records!r}, {again[1] if again else None!r})\n"
    )
    with open(os.path.join(place, "sitecustomize.py"), "w", encoding="utf-8") as stream:
        stream.write(text)
    known = runner.environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, (place, known)))}


def _numbered(outputs: Sequence[Any] | None) -> tuple[tuple[str, Any], ...] | None:
    return tuple((f"output {number}", array) for number, array in enumerate(outputs)) if outputs is not None else None


class _Export:
    """One exported file with what its module gave."""

    def __init__(
        self, watched: Watched, place: str, record: Mapping[str, Any], runner: Runner, verify: Verify | None
    ) -> None:
        self.place = place
        self.record = record
        self.file = str(record.get("file"))
        inside = self.file.startswith(watched.folder + os.sep)
        self.relative = os.path.relpath(self.file, watched.folder) if inside else None
        self.name = self.relative or os.path.basename(self.file)
        self._runner = runner
        self._verify = verify
        self.reference = f"the {record.get('module')} module that the script exports, in eval mode, by PyTorch"

    def of_file(self, name: str, path: str) -> Proof:
        """Compares another file with the module, which was made of the exported one."""
        other = copy.copy(self)
        other.name, other.file, other.relative = name, path, None
        return other.proof(None, None, keeps=True)

    def proof(self, earlier: tuple[str, Mapping[str, Any]] | None, places: Places | None, *, keeps: bool) -> Proof:
        """Compares the file with the module, and the module with what it was before."""
        fault = self._unusable()
        if fault:
            return self._said(None, fault)
        try:
            side = side_of(self.file)
        except (ValueError, OSError) as problem:
            return self._said(None, str(problem))
        feeds = self._feeds(side)
        pairs = self._all_pairs(feeds)
        if isinstance(pairs, Proof):
            return pairs
        tolerance = self._tolerance(side)
        verdict = compare(pairs, tolerance)
        if verdict.equal is False:
            return self._said(False, f"the file differs from the module: {verdict.why}", verdict)
        others = (
            self._adapter(),
            self._lost(earlier),
            self._delivered(places, feeds, pairs, tolerance),
            self._before(earlier, tolerance, keeps=keeps),
        )
        told = [other._replace(how=other.how.removeprefix(f"{self.name}: ")) for other in others if other is not None]
        return combined([self._good(verdict, len(feeds)), *told])

    def _good(self, verdict: Verdict, count: int) -> Proof:
        how = f"{feeds_give(count)} the module's own outputs" if verdict.equal else "the outputs prove nothing"
        return self._said(verdict.equal, "; ".join((how, *verdict.remarks, *self.record.get("notes", ()))), verdict)

    def _all_pairs(self, feeds: Mapping[int, Stored]) -> list[Pair] | Proof:
        """The module's outputs beside the file's, without and with the optimiser, which may mend a wrong export."""
        if not feeds:
            return self._said(None, "its inputs are not those of the module, so nothing could be fed to both")
        both = self._runner.plain_and_optimised(self.file, list(feeds.values()))
        if both[1].error:
            both = [self._runner.model(self.file, list(feeds.values()), engine="reference")]
        pairs: list[Pair] = []
        for runs in both:
            some = self._pairs(feeds, runs)
            if isinstance(some, Proof):
                return some
            pairs += some
        return pairs

    def _adapter(self) -> Proof | None:
        """Whether an adapter that the script loads is in what it exports."""
        found = self.record.get("adapter")
        if found == "merged":
            return self._said(True, "an adapter was merged into it")
        if found == "merged-empty":
            return self._said(False, "the adapter that was merged changes nothing: not the trained one was loaded")
        if found == "elsewhere":
            return self._said(None, "the script loads an adapter that is not in the exported module")
        return None

    def _unusable(self) -> str:
        if self.record.get("fault"):
            return f"what the module computes could not be kept: {self.record['fault']}"
        if not self.record.get("file") or not os.path.isfile(self.file):
            return "the exported file was not there when the script had ended"
        feeds = self.record.get("feeds", ())
        if not any("types" in feed for feed in feeds):
            return f"the module cannot be run: {feeds[0].get('error', '') if feeds else 'it has no inputs'}"
        return ""

    def _feeds(self, side: Side) -> dict[int, Stored]:
        """Number of the feed -> the feed under the file's names; empty where inputs and tensors do not match."""
        count = len(self.record["own_names"])
        names = [one.name for one in side.inputs]
        mapped = dict(self.record.get("mapped") or {})
        if not set(names) <= set(mapped):
            if len(names) != count:
                return {}
            mapped = {name: place for place, name in enumerate(names)}
        told = {place: name for name, place in mapped.items()}
        order = tuple(told.get(place, f"?{place}") for place in range(count))
        return {
            feed["number"]: Stored(feed["label"], order, os.path.join(self.place, f"in-{feed['number']}.npz"))
            for feed in self.record["feeds"]
            if "types" in feed
        }

    def _pairs(self, feeds: Mapping[int, Stored], runs: Runs) -> list[Pair] | Proof:
        if runs.error:
            return self._said(None, f"ONNX Runtime cannot load it: {runs.error}")
        failed = next(((n, one) for n, one in zip(feeds, runs.results, strict=True) if one.outputs is None), None)
        if failed is not None:
            what = f"the module answers ({feeds[failed[0]].label}), the file fails"
            return self._said(False, f"{what}: {failed[1].error}")
        found = []
        for (number, feed), result in zip(feeds.items(), runs.results, strict=True):
            got = result.outputs or ()
            want, twin = self._outputs("out", number), self._outputs("twin", number)
            if want is None or len(want) != len(got):
                return self._said(None, f"the module gives {len(want or ())} tensors, the file {len(got)}")
            names = [name for name, _ in got]
            named = tuple(zip(names, want, strict=True))
            other = tuple(zip(names, twin, strict=True)) if twin and len(twin) == len(names) else None
            found.append(Pair(feed.label, named, got, other))
        return found

    def _outputs(self, kind: str, number: int, place: str | None = None) -> list[Any] | None:
        path = os.path.join(place or self.place, f"{kind}-{number}.npz")
        return arrays_of(path) if os.path.exists(path) else None

    def _tolerance(self, side: Side) -> Tolerance:
        types = {kind for feed in self.record["feeds"] for kind in feed.get("types", ())}
        verify = self._verify
        return tolerance_for(
            precisions_of(side.model),
            {_NARROW[kind] for kind in types if kind in _NARROW},
            *((verify.rtol, verify.atol) if verify else (None, None)),
        )

    def _lost(self, earlier: tuple[str, Mapping[str, Any]] | None) -> Proof | None:
        """Weights that load_state_dict left out, though the build failed over it before: they are random now."""
        lost = set(self.record.get("lost", ()))
        if earlier is not None and lost <= set(earlier[1].get("lost", ())):
            return None
        if not lost:
            return None
        told = f"{len(lost)} weights were not loaded and hold initial values: {', '.join(sorted(lost)[:3])}"
        return self._said(False if self.record.get("spare") else None, told)

    def _delivered(
        self, places: Places | None, feeds: Mapping[int, Stored], pairs: Sequence[Pair], tolerance: Tolerance
    ) -> Proof | None:
        """Compares the file that the build itself left. Weights that differ at each run were never loaded."""
        path = os.path.join(places.ran, self.relative) if self.relative and places else ""
        if not os.path.isfile(path):
            return None
        runs = self._runner.model(path, list(feeds.values())[:2], optimise=True)
        again = [
            pair._replace(deployed=result.outputs)
            for pair, result in zip(pairs, runs.results, strict=False)
            if result.outputs is not None
        ]
        if not again or compare(again, tolerance).equal is not False:
            return None
        if self.record.get("loads"):
            how = "two runs of the script give different weights, though it loads some: a part of them is random"
            return self._said(None, how)
        return self._said(True, "its weights are drawn anew at each run of the script")

    def _before(
        self, earlier: tuple[str, Mapping[str, Any]] | None, tolerance: Tolerance, *, keeps: bool
    ) -> Proof | None:
        """Compares the module with what it was before the repair."""
        if earlier is None:
            return None
        place, record = earlier
        pairs = []
        for feed in self.record["feeds"]:
            then, now = (self._outputs("out", feed["number"], folder) for folder in (place, self.place))
            if then and now and len(then) == len(now):
                twin = self._outputs("twin", feed["number"])
                sides = [_numbered(one) for one in (now, then, twin if twin and len(twin) == len(now) else None)]
                pairs.append(Pair(feed["label"], sides[0] or (), sides[1] or (), sides[2]))
        if not pairs:
            return None
        types = {kind for feed in record.get("feeds", ()) for kind in feed.get("types", ()) if kind in _NARROW}
        verdict = compare(pairs, tolerance_for({tolerance.precision}, {_NARROW[kind] for kind in types}))
        if verdict.equal is None:
            return None
        return self._kept(record, keeps=keeps) if verdict.equal else self._altered(record, verdict, keeps=keeps)

    def _kept(self, record: Mapping[str, Any], *, keeps: bool) -> Proof:
        how = "the module computes what it did before the repair"
        if keeps or record.get("training") != self.record.get("training"):
            return self._said(True, how)
        return self._said(None, f"{how}, which was meant to change that")

    def _altered(self, record: Mapping[str, Any], verdict: Verdict, *, keeps: bool) -> Proof:
        """The module computes something else than before: by chance, on purpose, or by a wrong repair."""
        if not record.get("loads") and record.get("weights") != self.record.get("weights"):
            return self._said(True, "the module before the repair had other random weights and was not compared")
        if self.record.get("adapter") in ("merged", "inside") and record.get("adapter") != self.record["adapter"]:
            return self._said(True, "with the adapter it computes something else than before the repair")
        if not keeps:
            return self._said(True, "the module computes something else than before the repair, as it is meant to")
        return self._said(False, f"the repair changed what the module computes: {verdict.why}")

    def _said(self, verified: bool | None, how: str, verdict: Verdict | None = None) -> Proof:
        rows = tuple({"model": self.name, **row} for row in verdict.rows) if verdict else ()
        return Proof(verified, f"{self.name}: {how}", self.reference, rows)
