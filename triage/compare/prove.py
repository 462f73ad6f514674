"""Decides what a cured build's outputs can be compared with, and compares them: the proof where no check is given."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from triage.backends._child import run
from triage.compare.files import Changed, Places, changed_files, external_files, models_of
from triage.recipe import as_plain, from_plain
from triage.remedy import BuildSpec, Limits, Proof, Recipe

if TYPE_CHECKING:
    from triage.compare.feeds import Feed
    from triage.compare.models import Two
    from triage.compare.run import Runner

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RUNS = 8  # how many runs as long as the build's a proof may take
_LEAST = 300.0
_HELD = 3  # archives of feeds of the build's own that are compared too
# what holds weights or computes: a change in one of these may change the outputs
_COMPUTING = (
    ".onnx", ".ort", ".pt", ".pth", ".ts", ".pt2", ".plan", ".engine", ".trt", ".safetensors", ".bin", ".data", ".gguf",
    ".py", ".pb", ".npz", ".npy", ".weights", ".ckpt", ".xml",
)  # fmt: skip


def prove(recipe: Recipe, command: Sequence[str], places: Places, log: str, *, keeps: bool = True) -> Proof:
    """Compares what a repaired build gives with its reference, in a child process.

    The reference is the recipe's; else each ONNX file as it was before the repair; else the PyTorch modules that
    the build's scripts export.

    Args:
        recipe: the build.
        command: as it is now.
        places: the copies of its folder.
        log: takes what was run and what it printed.
        keeps: False where the repair is meant to change what is computed.
    """
    changed = changed_files(places.base, places.fixed)
    has_reference = bool(recipe.verify and recipe.verify.reference)
    if not changed.all and tuple(command) == recipe.command and not has_reference:
        return Proof(None, "nothing was changed, so there is nothing to compare")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="proof-", dir=os.path.dirname(places.ran))
    try:
        request, answer = os.path.join(scratch, "request.json"), os.path.join(scratch, "answer.json")
        with open(request, "w", encoding="utf-8") as stream:
            body = {"recipe": as_plain(recipe), "command": list(command), "places": places, "log": log, "keeps": keeps}
            json.dump(body, stream, default=str)
        path = os.pathsep.join(filter(None, (_OURS, os.environ.get("PYTHONPATH"))))
        result = run(BuildSpec(
            (sys.executable, "-m", "triage.compare._worker", request, answer), scratch,
            os.path.join(scratch, "worker.log"), Limits(seconds=max(_LEAST, _RUNS * recipe.timeout)),
            {"PYTHONPATH": path, "TMPDIR": scratch}, recipe.folder,
        ))  # fmt: skip
        if os.path.isfile(answer):
            with open(answer, encoding="utf-8") as stream:
                return proof_from(json.load(stream))
        with open(result.log, "rb") as stream, open(log, "ab") as out:
            out.write(stream.read(1 << 20))
        return Proof(None, f"comparing failed: {result.why or f'its process ended with exit code {result.exit_code}'}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def proof_from(body: dict[str, Any]) -> Proof:
    """A proof as JSON holds it."""
    return Proof(body["verified"], body["how"], body["reference"], tuple(body["numbers"]))


def examine(request: dict[str, Any], scratch: str) -> Proof:
    """The child's side of ``prove``."""
    proof = _examined(request, scratch)
    how = proof.how
    for place in (scratch, *request["places"]):
        how = how.replace(place + os.sep, "")
    return proof._replace(how=how)


def _examined(request: dict[str, Any], scratch: str) -> Proof:
    from triage.compare.exports import can_export, combined, from_exports
    from triage.compare.reference import against_reference
    from triage.compare.run import Runner

    recipe, command, places = from_plain(request["recipe"]), request["command"], Places(*request["places"])
    runner = Runner(
        scratch, request["log"], seconds=recipe.timeout, environment=recipe.environment, guarded=recipe.folder
    )
    changed = changed_files(places.base, places.fixed)
    if recipe.verify and recipe.verify.reference:
        models = models_of(recipe, command, places, changed)
        return against_reference(recipe, recipe.verify, places, models, runner)
    pairs, strangers = _pairs(places, changed)
    if pairs or strangers:
        proofs = [_model(two, runner, places, keeps=request["keeps"]) for two in pairs]
        new = [
            Proof(None, f"{path} is new; there is no model before it that it could be compared with")
            for path in strangers
        ]
        return combined([*proofs, *new])
    if can_export(places.fixed, command):
        proofs = from_exports(recipe, command, places, runner, keeps=request["keeps"])
        if proofs:
            return combined(proofs)
    return Proof(None, _nothing(changed, recipe, command))


def _model(two: Two, runner: Runner, places: Places, *, keeps: bool) -> Proof:
    from triage.compare.models import before_and_after

    proof = before_and_after(two, runner)
    for given in _held_feeds(two, places)[:_HELD] if proof.verified or not proof.numbers else ():
        second = before_and_after(two, runner, [given])
        if second.verified is False or (proof.verified is None and second.verified is not None):
            proof = second
    if proof.verified is False and not keeps:
        return proof._replace(verified=None, how=f"the repair is meant to change the outputs; {proof.how}")
    return proof


def _held_feeds(two: Two, places: Places) -> list[tuple[str, Feed]]:
    """Feeds of the build's own, which are what the model is for: archives that name just the model's inputs."""
    import numpy as np

    from triage.compare.models import side_of
    from triage.workspace import walk

    found = []
    try:
        names = {each.name for each in side_of(two.before).inputs}
    except (ValueError, OSError):
        return []
    for path in walk(places.base):
        if path.endswith(".npz"):
            try:
                with np.load(os.path.join(places.base, path)) as stored:
                    if set(stored.files) == names:
                        found.append((path, {name: stored[name] for name in stored.files}))
            except (ValueError, OSError, KeyError):
                continue
    return found


def _pairs(places: Places, changed: Changed) -> tuple[list[Two], list[str]]:
    """ONNX files with those that they stand for, and new ones that stand for none."""
    from triage.compare.models import Two

    found: dict[str, str] = {path: path for path in sorted(changed.modified) if path.endswith(".onnx")}
    found.update(_with_changed_weights(places, changed, found))
    spare = sorted(path for path in changed.removed if path.endswith(".onnx") and path not in changed.moved.values())
    strangers = []
    for path in sorted(changed.added):
        if not path.endswith(".onnx") or path in changed.moved:
            continue
        old = spare[0] if len(spare) == 1 else _likest(places, path)
        if old is None:
            strangers.append(path)
        else:
            found[path] = old
    return [
        Two(new, os.path.join(places.base, old), os.path.join(places.fixed, new), "the model before the repair")
        for new, old in found.items()
    ], strangers


def _with_changed_weights(places: Places, changed: Changed, known: dict[str, str]) -> dict[str, str]:
    """Models whose own file is as it was, or only moved, but not the files that hold their weights."""
    from triage.workspace import walk

    if not changed.all:
        return {}
    found = {}
    for path in walk(places.fixed):
        old = changed.moved.get(path, path)
        if not path.endswith(".onnx") or path in known or not os.path.isfile(os.path.join(places.base, old)):
            continue
        inside = os.path.dirname(path)
        needed = {os.path.normpath(os.path.join(inside, name)).replace(os.sep, "/")
                  for name in external_files(os.path.join(places.fixed, path))}  # fmt: skip
        if any(_weights_differ(name, path, old, places, changed) for name in needed):
            found[path] = old
    return found


def _weights_differ(name: str, path: str, old: str, places: Places, changed: Changed) -> bool:
    """Whether a data file is another than the one beside the model as it was."""
    before = os.path.normpath(os.path.join(os.path.dirname(old), os.path.relpath(name, os.path.dirname(path) or ".")))
    return name in changed.all and changed.moved.get(name) != before.replace(os.sep, "/")


def _likest(places: Places, path: str) -> str | None:
    """The one model of before with the same inputs and outputs."""
    from triage.workspace import walk

    def surface(full: str) -> tuple[list[str], list[str]] | None:
        from triage.onnxgraph.files import load

        try:
            graph = load(full, weights=False).graph
        except (ValueError, OSError):
            return None
        return sorted(value.name for value in graph.input), sorted(value.name for value in graph.output)

    wanted = surface(os.path.join(places.fixed, path))
    alike = [
        old for old in walk(places.base)
        if old.endswith(".onnx") and wanted is not None and surface(os.path.join(places.base, old)) == wanted
    ]  # fmt: skip
    return alike[0] if len(alike) == 1 else None


def _nothing(changed: Changed, recipe: Recipe, command: Sequence[str]) -> str:
    """Why there was nothing to compare."""
    what = changed.contents
    named = ", ".join(what[:3]) + (f" and {len(what) - 3} more" if len(what) > 3 else "")
    if not named and changed.all:
        named = "the place or name of files"
    if tuple(command) != recipe.command:
        named = f"the command{' and ' + named if named else ''}"
    if not any(path.endswith(_COMPUTING) for path in what):
        return (
            f"the model files are unchanged: only {named} was changed, and the build succeeds; no outputs were compared"
        )
    return f"nothing to compare with: {named} was changed, and the recipe has no [verify]"
