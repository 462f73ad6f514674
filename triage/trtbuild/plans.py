"""Plans in a build's folder: which one is loaded, and which ONNX file it was built from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from triage.trtbuild import carriers

if TYPE_CHECKING:
    from triage.site import Site

ENDINGS = (".plan", ".engine", ".trt")
_MAGIC = (b"ftrt", b"ptrt")


def loaded(site: Site, told: str | None = None) -> str | None:
    """The plan that the build loads: what its scripts or its log name, or the only one there is."""
    there = [path for path in site.listing if path.endswith(ENDINGS)]
    words = [part for word in site.command for part in (word, word.rpartition("=")[2])]
    for name in (told, *words):
        if name and os.path.normpath(name) in there:
            return os.path.normpath(name)
    named = [path for path in there if os.path.basename(path) in site.log]
    base = [path for path in there if told and os.path.basename(path) == os.path.basename(told)]
    found = [*base, *named] or (there if len(there) == 1 else [])
    return found[0] if found else None


def sources(site: Site, plan: str) -> list[str]:
    """ONNX files that a plan can have been built from, the likeliest first.

    A plan holds the names of its inputs and outputs: where it can be read that far, only files with these names count.
    """
    there = [path for path in site.listing if path.endswith(".onnx") and carriers.inputs(site, path)]
    data = _start(site.path(plan))
    if data.startswith(_MAGIC):
        there = [path for path in there if all(name.encode() in data for name in _names(site, path))]
    stem = os.path.basename(plan).partition(".")[0].lower()
    return sorted(there, key=lambda path: (os.path.basename(path).partition(".")[0].lower() != stem, path))


def sure_source(site: Site, plan: str) -> str | None:
    """The ONNX file of a plan, where only one can be meant."""
    found = sources(site, plan)
    stem = os.path.basename(plan).partition(".")[0].lower()
    same = [path for path in found if os.path.basename(path).partition(".")[0].lower() == stem]
    return same[0] if len(same) == 1 else found[0] if len(found) == 1 else None


def _names(site: Site, path: str) -> list[str]:
    from triage.onnxgraph import files

    model = files.load(site.path(path), weights=False)
    return [*(each.name for each in carriers.inputs(site, path)), *(value.name for value in model.graph.output)]


def _start(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(1 << 30)
