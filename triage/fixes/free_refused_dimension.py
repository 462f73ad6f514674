"""Make the dimension free in which an engine refused a shape.

What it changes: where an engine with fixed sizes refused a shape, the dimensions of the ONNX input in which that shape
differs become symbolic, and everything that bakes the old size in follows (see relax_batch). The profile that a
dynamic model then needs is another fix (rebuild_profiles).

When it is wrong: where the refused shape itself is the mistake, or the graph mixes the items of a batch; the graph is
then left as it is.

Proof: before the file is written, the model must give the same at its old size, and at three times that size what
the old model gives for each part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _relaxing
from triage.onnxgraph import files
from triage.onnxgraph.relax import Wanted
from triage.remedy import Proposal, Refusal
from triage.trtbuild.settings import Dims, from_x

CAUSES = ("input-shape-mismatch", "profile-invalid")
SAFETY = "safe"
_REFUSED = re.compile(r"(?i)refused|could not set (?:the )?(?:input )?shape|static dimension|mismatch")
_SHAPE = re.compile(r"[\[(]\s*(\d{1,6}(?:\s*,\s*\d{1,6}){0,7})\s*,?\s*[\])]|(?<![\w.])(\d{1,6}(?:x\d{1,6}){1,7})(?!\w)")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each model whose fixed sizes an engine held against what it was given."""
    if not re.search(r"(?i)tensorrt|\[TRT\]", site.log):
        return
    for path, model in files.each(site):
        inputs = {name: dims for name, dims in _relaxing.fixed(model).items() if dims and None not in dims}
        wanted = _wanted(site.log, inputs)
        if wanted and _relaxing.turned(site, model, wanted):
            why = f"what is fed has the dimensions of {path} in another order (layout)"
            yield Refusal(why, "transpose the data before it is fed")
        elif wanted:
            yield from _relaxing.offer(site, path, model, [_relaxing.sharing(model, wanted)], None)


def _wanted(log: str, inputs: Mapping[str, list[int | None]]) -> list[Wanted]:
    found: dict[tuple[str, int], Wanted] = {}
    for line in log.splitlines()[-400:]:
        if len(line) > 2000 or not _REFUSED.search(line):
            continue
        for match in _SHAPE.finditer(line):
            dims = from_x(match[1] or match[2])
            for name in _meant(line, dims, inputs) if dims else ():
                for axis, size in enumerate(dims or ()):
                    if size != inputs[name][axis]:
                        found.setdefault((name, axis), Wanted(name, axis, size))
    return list(found.values())


def _meant(line: str, dims: Dims, inputs: Mapping[str, list[int | None]]) -> list[str]:
    """Inputs of this rank that the line names; the only one of this rank where it names none."""
    same = [name for name, sizes in inputs.items() if len(sizes) == len(dims) and len(dims) > 1]
    named = [name for name in same if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", line)]
    return named or (same if len(same) == 1 else [])


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Frees the dimension, checks, writes."""
    _relaxing.free(site, parameters)


def _before(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(2), f"{folder}/model.onnx")


def _free(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    dims = _relaxing.fixed(files.load(site.path("model.onnx")))["input"]
    assert dims == [None, 8]  # noqa: S101


_LOG = "[TRT] [E] 3: Static dimension mismatch while setting input shape.\nshape (5, 8) of input was refused\n"
_FOUND = Found(causes=("input-shape-mismatch",))
EXAMPLES = (
    Example(_before, _after, log=_LOG, found=_FOUND, needs=("onnx", "onnxruntime")),
    Example(_free, None, log=_LOG, found=_FOUND, applies=False, needs=("onnx",)),
)
