"""``triage fix MODEL --target NAME``: a recipe for building a model directly."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence

from triage import discovery
from triage.errors import UsageError
from triage.onnxgraph import external, files
from triage.remedy import Recipe, Verify


def recipe_for(words: Sequence[str], target: str) -> Recipe:
    """Lays a model out in a folder of its own with the build script of a backend.

    Args:
        words: the model, and options of the backend as ``name=value``.
        target: id of a backend that can build.

    Raises:
        UsageError: there is no such model, the backend cannot build directly, or it cannot run here.
        UnknownName: no such backend.
    """
    backend = discovery.load("triage.backends", target)
    if not hasattr(backend, "prepare"):
        raise UsageError(f"{target} cannot build a model directly. Name its command: triage fix -- {target} …")
    model = words[0]
    if not os.path.exists(model):
        raise UsageError(f"{model} does not exist. Name the model to build: triage fix model.onnx --target {target}")
    probe = backend.probe()
    if not probe.can:
        raise UsageError(f"{target} cannot run here: {probe.why}")
    folder = _laid_out(model)
    options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    name = os.path.basename(os.path.abspath(model))
    made = backend.prepare(folder, name, options)
    stem = os.path.splitext(name)[0]
    return Recipe(
        stem,
        folder,
        tuple(made.command),
        tuple(made.files),
        tuple(made.outputs),
        verify=Verify(tuple(made.verify)) if made.verify else None,
        target=target,
        home=os.path.dirname(os.path.abspath(model)),
    )


def _laid_out(model: str) -> str:
    """A new folder with the model and what lies beside it of its own: external data, feeds."""
    folder = tempfile.mkdtemp(prefix="triage-target-")
    base = os.path.dirname(os.path.abspath(model))
    if os.path.isdir(model):
        shutil.copytree(model, os.path.join(folder, os.path.basename(os.path.abspath(model))))
        return folder
    for name in {os.path.basename(model), *_beside(model, base)}:
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(base, name), target)
    return folder


def _beside(model: str, base: str) -> list[str]:
    """Files that an ONNX model keeps its weights in, and those that look like them."""
    stem = os.path.splitext(os.path.basename(model))[0]
    named = [name for name in os.listdir(base) if name.startswith(stem) and os.path.isfile(os.path.join(base, name))]
    try:
        places = set(external.by_location(external.stored(files.load(model, weights=False))))
    except (ValueError, OSError):  # a broken model is what the repair is for
        places = set()
    inside = (place for place in places if not os.path.isabs(place) and ".." not in place.split("/"))
    return [*named, *(place for place in inside if os.path.isfile(os.path.join(base, place)))]
