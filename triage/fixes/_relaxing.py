"""What the fixes that free fixed dimensions share: which dimensions a run needs free, trying, and checking."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.onnxgraph import files
from triage.onnxgraph.relax import Baked, Wanted
from triage.remedy import Proposal, Refusal
from triage.site import CannotApply, Site

_SHAPE = r"[\[(]([-\d, ]{1,120})[\])]"
_NAMED = re.compile(
    r"Got invalid dimensions for input: (\S{1,200}) for the following indices"
    r"((?:\s+index: \d+ Got: -?\d+ Expected: -?\d+){1,20})"
)
_INDEX = re.compile(r"index: (\d+) Got: (-?\d+) Expected: (-?\d+)")
_TRITON = re.compile(
    rf"unexpected shape for input '([^']{{1,200}})' for model '[^']{{1,200}}'\. Expected {_SHAPE}, got {_SHAPE}"
)
_TENSORRT = re.compile(
    rf"Static dimension mismatch while setting input shape for ([^\s.]{{1,200}})\. Set dimensions are {_SHAPE}"
)
_POLYGRAPHY = re.compile(rf"Input tensor: ([^\s|]{{1,200}}) \| Received incompatible shape: {_SHAPE}")
_PROFILE = re.compile(
    r"\(([^\s():]{1,200}): for dimension number (\d+) in profile \d+ does not match network definition "
    r"\(got min=(\d+), opt=(\d+), max=(\d+)\)"
)
_BATCHING = (
    "for the model to support batching the shape should have at least 1 dimension and the first dimension must be -1",
    "model does not support batching while non-zero max_batch_size is specified",
)
_UNNAMED = (
    "Static dimension mismatch while setting input shape",
    "engineDims.d[i] == dims.d[i]",
    "Static model does not take explicit shapes",
)
_SHAPES = re.compile(r"--(?:min|opt|max)?shapes=(\S{1,2000})", re.IGNORECASE)
_ONE = re.compile(r"([^\s,:'\"]{1,200}):(\d+(?:x\d+){0,9})")
_LARGEST = 1 << 28  # bytes of a file of feeds that is looked into
TODO = (
    "export the model again with this dimension dynamic (dynamic_shapes or dynamic_axes), or feed the size that it has"
)


def fixed(model: Any) -> dict[str, list[int | None]]:
    """Input -> its dimensions, None for a free one; inputs that have a stored value are left out."""
    stored = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, list[int | None]] = {}
    for value in model.graph.input:
        if value.name not in stored and value.type.HasField("tensor_type"):
            dims = value.type.tensor_type.shape.dim
            found[value.name] = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    return found


def told(site: Site, inputs: Mapping[str, Sequence[int | None]]) -> list[Wanted]:
    """Dimensions that the log says are fixed and ought not to be."""
    found: dict[tuple[str, int], int | None] = {}
    for name, lines in _NAMED.findall(site.log):
        found |= {(name, int(axis)): int(got) for axis, got, _ in _INDEX.findall(lines)}
    for name, _, got in _TRITON.findall(site.log):
        found |= _unequal(name, got, inputs)
    for name, got in (*_TENSORRT.findall(site.log), *_POLYGRAPHY.findall(site.log)):
        found |= _unequal(name, got, inputs)
    for name, axis, _, _, most in _PROFILE.findall(site.log):
        found[name, int(axis)] = int(most)
    if any(phrase in site.log for phrase in _BATCHING):
        found |= {(name, 0): None for name, dims in inputs.items() if dims and (name, 0) not in found}
    return [Wanted(*key, size) for key, size in found.items() if _is_fixed(inputs, *key, size)]


def _unequal(name: str, text: str, inputs: Mapping[str, Sequence[int | None]]) -> dict[tuple[str, int], int | None]:
    sizes, dims = [int(each) for each in text.replace(",", " ").split()], inputs.get(name, ())
    if len(sizes) == len(dims) + 1 and dims and dims[0] != 1:  # a server that adds the batch itself
        return {}
    if len(sizes) != len(dims):
        return {}
    return {(name, axis): size for axis, (size, own) in enumerate(zip(sizes, dims, strict=True)) if size != own}


def _is_fixed(inputs: Mapping[str, Sequence[int | None]], name: str, axis: int, size: int | None) -> bool:
    dims = inputs.get(name, ())
    return axis < len(dims) and dims[axis] is not None and dims[axis] != size


def stored_shapes(site: Site, inputs: Mapping[str, Sequence[int | None]]) -> Iterator[dict[str, tuple[int, ...]]]:
    """Shapes of the feeds that lie in the folder: files that hold an array for every input."""
    import zipfile

    import numpy as np

    for path in site.listing:
        if not path.endswith(".npz") or os.path.getsize(site.path(path)) > _LARGEST:
            continue
        try:
            with np.load(site.path(path), allow_pickle=False) as held:
                shapes = {name: held[name].shape for name in held.files if name in inputs}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
        if shapes.keys() == inputs.keys() and all(len(shapes[name]) == len(dims) for name, dims in inputs.items()):
            yield shapes


def needed(site: Site, model: Any) -> tuple[list[Wanted], bool]:
    """(dimensions that must be free, whether the feeds themselves say so for all inputs)."""
    inputs = fixed(model)
    said = told(site, inputs)
    keys = {(each.input, each.axis) for each in said}
    unnamed = any(phrase in site.log for phrase in _UNNAMED)
    if not said and unnamed:
        said = asked(site, inputs)
    for shapes in stored_shapes(site, inputs):
        fed = [
            Wanted(name, axis, size)
            for name, shape in shapes.items()
            for axis, size in enumerate(shape)
            if _is_fixed(inputs, name, axis, size)
        ]
        if keys & {(each.input, each.axis) for each in fed} or (fed and unnamed and not keys):
            return fed, True
    return said, False


def asked(site: Site, inputs: Mapping[str, Sequence[int | None]]) -> list[Wanted]:
    """Dimensions that the command line asks to have in another size, as trtexec spells them."""
    found: dict[tuple[str, int], int | None] = {}
    for text in _SHAPES.findall(" ".join(site.command)):
        for name, sizes in _ONE.findall(text):
            found |= _unequal(name, sizes.replace("x", " "), inputs)
    return [Wanted(*key, size) for key, size in found.items() if _is_fixed(inputs, *key, size)]


def turned(site: Site, model: Any, wanted: Sequence[Wanted]) -> str | None:
    """The input whose feed has the model's dimensions in another order; None where there is none."""
    inputs = fixed(model)
    for name, dims in inputs.items():
        changed = {each.axis: each.size for each in wanted if each.input == name}
        if len([axis for axis in changed if axis]) < 2 or None in dims:
            continue
        got = [changed.get(axis, size) for axis, size in enumerate(dims)]
        if sorted(got[1:], key=str) == sorted(dims[1:], key=str):
            return name
    return None


def sharing(model: Any, wanted: Sequence[Wanted]) -> list[Wanted]:
    """The wanted, and the same dimension of other inputs where it has the same size."""
    inputs = fixed(model)
    found = {(each.input, each.axis): each for each in wanted}
    for each in wanted:
        old = inputs[each.input][each.axis]
        for name, dims in inputs.items():
            if each.axis < len(dims) and dims[each.axis] == old and (each.axis == 0 or len(dims) > 1):
                found.setdefault((name, each.axis), Wanted(name, each.axis, each.size))
    return list(found.values())


def ways(model: Any, wanted: Sequence[Wanted], *, known: bool) -> list[Sequence[Wanted]]:
    """Sets of dimensions to try, the likeliest first; one where the feeds of all inputs are ``known``."""
    shared = wanted if known else sharing(model, wanted)
    return [wanted] if len(shared) == len(wanted) else [shared, wanted]


def in_other_order(path: str) -> Refusal:
    """What is said where the feed has another layout than the model."""
    return Refusal(
        f"the feed has the dimensions of {path} in another order (layout)", "transpose the data before it is fed"
    )


def words(wanted: Sequence[Wanted]) -> str:
    """The dimensions in a sentence: ``dimension 0 of ids and mask``."""
    parts = []
    for axis in sorted({each.axis for each in wanted}):
        names = [each.input for each in wanted if each.axis == axis]
        parts.append(f"dimension {axis} of {', '.join(names)}")
    return " and ".join(parts)


def proven_elsewhere(site: Site) -> bool:
    """Whether the recipe itself compares the outputs."""
    return bool(site.verify.get("command") or (site.verify.get("reference") and site.verify.get("inputs")))


def offer(site: Site, path: str, model: Any, ways: Sequence[Sequence[Wanted]], safety: str | None) -> Iterator[Any]:
    """A proposal for each way that the graph allows; a refusal where it allows none."""
    why = None
    offered = False
    for rank, wanted in enumerate(ways):
        reason = _stands_in_the_way(site, path, model, wanted)
        if reason is None:
            offered = True
            what = f"make {words(wanted)} free in {path}, and what holds the old size follow"
            yield Proposal(what, {"model": path, "wanted": [list(each) for each in wanted]}, safety, rank)
        why = why or reason
    if not offered and why is not None:
        yield Refusal(f"{words(ways[0])} of {path} cannot be made free: {why}", TODO)


def _stands_in_the_way(site: Site, path: str, model: Any, wanted: Sequence[Wanted]) -> str | None:
    from triage.onnxgraph import relax

    why = None
    for strategy in _strategies(wanted):
        try:
            relax.relax(inlined(model), wanted, os.path.dirname(site.path(path)), strategy)
        except Baked as fault:
            why = why or str(fault)
        else:
            return None
    return why


def _strategies(wanted: Sequence[Wanted]) -> range:
    """Other ways to read a Reshape are tried only where the result is checked item by item."""
    return range(4) if any(each.axis == 0 for each in wanted) else range(1)


def inlined(model: Any) -> Any:
    """A copy without local functions."""
    from onnx import inliner

    if model.functions:
        return inliner.inline_local_functions(model)
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def free(site: Site, parameters: Mapping[str, Any]) -> None:
    """Frees the dimensions, checks the result, and writes it.

    Raises:
        CannotApply: no way to do it stands the check.
    """
    path = parameters["model"]
    wanted = [Wanted(*each) for each in parameters["wanted"]]
    folder = os.path.dirname(site.path(path))
    with files.edit(site, path) as model:
        old = inlined(model)
        new, why = tried(old, wanted, folder, unproven=proven_elsewhere(site))
        if new is None:
            raise CannotApply(why)
        model.CopyFrom(new)


def tried(old: Any, wanted: Sequence[Wanted], folder: str, *, unproven: bool) -> tuple[Any, str]:
    """(the model with free dimensions, "") where it stands the check, else (None, why not).

    Args:
        old: the model as it is, without local functions.
        wanted: dimensions to free.
        folder: of its external data.
        unproven: also take a model that cannot be run here; then somebody else must compare it.
    """
    from triage.onnxgraph import relax
    from triage.onnxgraph.relax import proof

    why = ""
    for strategy in _strategies(wanted):
        new = inlined(old)
        try:
            done = relax.relax(new, wanted, folder, strategy)
            told = proof.check(old, new, done, folder, {key for key in done.symbols if _was_fixed(old, *key)})
        except Baked as fault:
            why = why or str(fault)
            continue
        if unproven or not told.startswith(proof.NOT_COMPARED):
            return new, ""
        why = why or told
    return None, why


def _was_fixed(model: Any, name: str, axis: int) -> bool:
    return fixed(model)[name][axis] is not None
