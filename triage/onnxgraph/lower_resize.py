"""Resize at older opsets."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.rewrite import Cannot, Rewrite, label


def resize_18(rewrite: Rewrite, node: Any) -> None:
    """Resize 18 got axes, antialias and a policy for the aspect ratio."""
    if walk.value_of(node, "antialias", 0):
        raise Cannot(f"{label(node)}: antialias does not exist below opset 18")
    sized = len(node.input) > 3 and bool(node.input[3])
    if sized and walk.value_of(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Cannot(f"{label(node)}: keeping the aspect ratio does not exist below opset 18")
    axes = walk.value_of(node, "axes")
    if axes:
        _all_axes(rewrite, node, axes, sized=sized)
    for name in ("antialias", "keep_aspect_ratio_policy", "axes"):
        walk.set_value(node, name, None)
    rewrite.keep(node)


def _all_axes(rewrite: Rewrite, node: Any, axes: list[int], *, sized: bool) -> None:
    """Scales or sizes for every dimension in place of those for some."""
    import numpy as np

    shape = rewrite.sizes(node.input[0])
    if shape is None or (len(node.input) > 1 and node.input[1] and _roi_matters(node)):
        raise Cannot(f"{label(node)}: the rank of {node.input[0]} is unknown, or it has a region of interest")
    rank, place = len(shape), 3 if sized else 2
    given = {axis % rank: number for number, axis in enumerate(axes)}
    known = rewrite.const(node.input[place])
    stay: list[Any] = [size if sized else 1.0 for size in shape]
    parts = [stay[axis] if axis not in given else None if known is None else known[given[axis]] for axis in range(rank)]
    hint = f"{node.output[0]}_{'sizes' if sized else 'scales'}"
    if None not in parts:
        node.input[place] = rewrite.constant(np.array(parts, np.int64 if sized else np.float32), hint)
        return
    names = [_part(rewrite, node, place, axis, given.get(axis)) for axis in range(rank)]
    node.input[place] = rewrite.node("Concat", names, rewrite.fresh(hint), axis=0)


def _part(rewrite: Rewrite, node: Any, place: int, axis: int, number: int | None) -> str:
    """One size or scale as a tensor: a given one, or that of a dimension that stays."""
    import numpy as np

    if number is None and place == 2:
        return rewrite.constant(np.ones(1, np.float32), f"{node.output[0]}_scale")
    source = rewrite.node("Shape", [node.input[0]]) if number is None else node.input[place]
    index = rewrite.constant(np.array([axis if number is None else number], np.int64), f"{node.output[0]}_place")
    return rewrite.node("Gather", [source, index], axis=0)


def _roi_matters(node: Any) -> bool:
    return bool(walk.value_of(node, "coordinate_transformation_mode") == "tf_crop_and_resize")


def resize_13(rewrite: Rewrite, node: Any) -> None:
    """Below opset 13 the region and the scales must be there, if only as empty tensors."""
    import numpy as np

    while len(node.input) < 3:
        node.input.append("")
    for place, word in ((1, "roi"), (2, "scales")):
        if not node.input[place]:
            node.input[place] = rewrite.constant(np.zeros(0, np.float32), f"{node.output[0]}_{word}")
    rewrite.keep(node)


def resize_11(rewrite: Rewrite, node: Any) -> None:
    """Resize 10 knows one way of counting: x * scale from the corner."""
    if len(node.input) > 3 and node.input[3]:
        raise Cannot(f"{label(node)}: sizes do not exist below opset 11")
    mode = walk.value_of(node, "mode", "nearest")
    how = walk.value_of(node, "coordinate_transformation_mode", "half_pixel")
    rounding = walk.value_of(node, "nearest_mode", "round_prefer_floor")
    if mode == "cubic" or how != "asymmetric" or (mode == "nearest" and rounding != "floor"):
        raise Cannot(f"{label(node)}: {mode} with {how} does not exist below opset 11")
    if mode == "nearest" and (rewrite.needed(node, 2, "the scale") < 1).any():
        raise Cannot(f"{label(node)}: making smaller with nearest was never laid down before opset 11")
    scales, roi = node.input[2], node.input[1]
    rewrite.freed.add(roi)
    del node.input[1:]
    node.input.append(scales)
    for name in ("coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside",
                 "extrapolation_value"):  # fmt: skip
        walk.set_value(node, name, None)
    rewrite.keep(node)


def upsample_10(rewrite: Rewrite, node: Any) -> None:
    """Below opset 10 Resize is called Upsample."""
    node.op_type = "Upsample"
    rewrite.keep(node)
