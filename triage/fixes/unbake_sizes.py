"""Let sizes that are baked into the graph follow the inputs.

What it changes: the ONNX file says that a dimension of its inputs is free, yet a Reshape, Expand, Slice or constant
inside holds the size of the example it was exported with. These are made to follow the input.

When it is wrong: the number in the graph is meant, and the feed is at fault; then the outputs at the example's size
stay the same and other sizes give numbers that nobody checked. So for other dimensions than the batch it is tried
without --unsafe only where the recipe has a check of its own.

Proof: the outputs at the example's size stay the same. A larger batch gives what the old model gives for its parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site, _relaxing
from triage.onnxgraph import files, shapes, walk
from triage.onnxgraph.relax import Baked, Wanted, relax
from triage.remedy import Proposal

CAUSES = ("runtime-shape-conflict", "shape-inference-conflict")
SAFETY = "safe"
_MOST = 40  # sizes that are tried
_HOLDERS = ("Reshape", "Expand", "Slice", "Tile", "ConstantOfShape", "Resize", "Split")


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each free dimension for which the graph holds a size."""
    for path, model in files.each(site):
        plain = _relaxing.inlined(model)
        folder = os.path.dirname(site.path(path))
        sizes = _candidates(plain)
        for group in _groups(plain):
            fitting = [size for size in sizes if _mended(plain, group, size, folder)]
            if not fitting:
                continue
            axis = group[0][1]
            safety = None if axis == 0 or _relaxing.proven_elsewhere(site) else "unsafe"
            names = ", ".join(dict.fromkeys(name for name, _ in group))
            yield Proposal(
                f"make what holds a size in {path} follow dimension {axis} of {names}",
                {"model": path, "group": [list(each) for each in group], "sizes": fitting}, safety, axis,
            )  # fmt: skip


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Takes the first size for which the model passes the check."""
    path, why = parameters["model"], "no size fits"
    group = [(name, axis) for name, axis in parameters["group"]]
    with files.edit(site, path) as model:
        plain = _relaxing.inlined(model)
        for size in parameters["sizes"]:
            old, wanted = _fixed_at(plain, group, size), [Wanted(*each) for each in group]
            new, reason = _relaxing.tried(
                old, wanted, os.path.dirname(site.path(path)), unproven=_relaxing.proven_elsewhere(site)
            )
            if new is not None:
                model.CopyFrom(new)
                return
            why = reason
        raise CannotApply(why)


def _groups(model: Any) -> list[list[tuple[str, int]]]:
    """Free dimensions of the inputs; those of one name belong together."""
    stored = {tensor.name for tensor in model.graph.initializer}
    found: dict[object, list[tuple[str, int]]] = {}
    for value in model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if value.name not in stored and not dim.HasField("dim_value"):
                found.setdefault(dim.dim_param or (value.name, axis), []).append((value.name, axis))
    return list(found.values())


def _candidates(model: Any) -> list[int]:
    """Sizes that the graph may have been made for: 1, and the numbers that say shapes."""
    facts = shapes.Facts(model)
    found = [1]
    for node in model.graph.node:
        value = shapes.constant_value(node) if node.op_type == "Constant" else None
        if value is not None:
            facts.values[node.output[0]] = value
        if node.op_type in _HOLDERS and not walk.domain_of(node.domain):
            values = [facts.values[name] for name in node.input if name in facts.values]
            found += [
                int(each) for value in values if value.dtype.kind == "i" for each in value.reshape(-1) if each > 1
            ]
    return [size for size in dict.fromkeys(found) if size <= 1 << 16][:_MOST]


def _fixed_at(model: Any, group: list[tuple[str, int]], size: int) -> Any:
    copy = type(model)()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if (value.name, axis) in group:
                dim.dim_value = size
    return copy


def _mended(model: Any, group: list[tuple[str, int]], size: int, folder: str) -> bool:
    """Whether the graph holds this size, and can do without."""
    try:
        done = relax(_fixed_at(model, group, size), [Wanted(*each) for each in group], folder)
    except Baked:
        return False
    return bool(done.mended)


_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[N, 2, 4] images) => (float[N, 8] flat)
<int64[2] target = {1, 8}>
{
    flat = Reshape(images, target)
}
"""
_LOG = "The input tensor cannot be reshaped to the requested shape. Input shape:{3,2,4}, requested shape:{1,8}\n"
_FOUND = Found(causes=("runtime-shape-conflict",))


def _before(folder: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(_MODEL), f"{folder}/model.onnx")


def _free(folder: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(_MODEL.replace("{1, 8}", "{-1, 8}")), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    data = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    np.testing.assert_array_equal(session.run(None, {"images": data})[0], data.reshape(3, 8))


EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime")),
    Example(_free, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx",)),
)
