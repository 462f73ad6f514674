"""Rules of single steps downwards: what an operator becomes below the opset that changed it.

``RULES`` holds (operator, opset) -> rule for the step from that opset to the one before. Every other step goes by
``lower_plain.plain``: what the older definition lacks may only be there with the value that means the older behaviour.
"""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.lift import REDUCTIONS, Rule, integers, put_input
from triage.onnxgraph.lower_numbers import (
    layer_norm_17,
    mod_28,
    one_axis,
    quantize_21,
    range_11,
    range_27,
    rms_norm_23,
    scale_type,
)  # fmt: skip
from triage.onnxgraph.lower_plain import count_from_front, plain
from triage.onnxgraph.lower_resize import resize_11, resize_13, resize_18, upsample_10
from triage.onnxgraph.rewrite import Cannot, Rewrite, label


def to_attribute(name: str, place: int) -> Rule:
    """The rule that turns a constant list of integers from an input into an attribute."""

    def rule(rewrite: Rewrite, node: Any) -> None:
        if len(node.input) > place and node.input[place]:
            values = rewrite.needed(node, place, name)
            rewrite.drop_input(node, place)
            walk.set_value(node, name, [int(value) for value in values.ravel()])
        rewrite.keep(node)

    return rule


def _reduce(rewrite: Rewrite, node: Any) -> None:
    """Axes become an attribute; none at all may also mean that nothing is reduced."""
    idle = walk.value_of(node, "noop_with_empty_axes", 0)
    given = len(node.input) > 1 and bool(node.input[1])
    axes = [int(value) for value in rewrite.needed(node, 1, "axes").ravel()] if given else []
    if not axes and idle:
        if node.op_type not in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
            raise Cannot(f"{label(node)}: without axes it reduces nothing, which has no form before")
        rewrite.node("Identity", [node.input[0]], node.output[0])
        return
    if given:
        rewrite.drop_input(node, 1)
    walk.set_value(node, "noop_with_empty_axes", None)
    walk.set_value(node, "axes", axes or None)
    rewrite.keep(node)


def _split_18(rewrite: Rewrite, node: Any) -> None:
    parts = walk.value_of(node, "num_outputs")
    walk.set_value(node, "num_outputs", None)
    sizes = rewrite.sizes(node.input[0])
    size = sizes[walk.value_of(node, "axis", 0)] if sizes else None
    if parts and size and size % parts:
        chunk = -(-size // parts)
        lengths = [chunk] * (parts - 1) + [size - chunk * (parts - 1)]
        put_input(node, 1, integers(rewrite, lengths, f"{node.output[0]}_split"))
    rewrite.keep(node)


def _softmax_13(rewrite: Rewrite, node: Any) -> None:
    axis, rank = walk.value_of(node, "axis", -1), rewrite.rank(node.input[0])
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        if rank is None:
            walk.set_value(node, "axis", -1)
        else:
            walk.set_value(node, "axis", rank - 1)
        rewrite.keep(node)
        return
    if rank is None:
        raise Cannot(f"{label(node)}: the rank of {node.input[0]} is unknown")
    order = list(range(rank))
    order[axis % rank], order[-1] = order[-1], order[axis % rank]
    turned = rewrite.node("Transpose", [node.input[0]], perm=order)
    result = rewrite.node(node.op_type, [turned], axis=rank - 1)
    rewrite.node("Transpose", [result], node.output[0], perm=order)


def _batch_norm_14(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "training_mode", 0) or len([name for name in node.output if name]) > 1:
        raise Cannot(f"{label(node)}: it is in training mode")
    walk.set_value(node, "training_mode", None)
    del node.output[1:]
    rewrite.keep(node)


def _dropout_12(rewrite: Rewrite, node: Any) -> None:
    if len(node.input) > 2 and node.input[2]:
        if rewrite.needed(node, 2, "training_mode"):
            raise Cannot(f"{label(node)}: it is in training mode")
        rewrite.drop_input(node, 2)
    if len(node.input) > 1 and node.input[1]:
        ratio = rewrite.const(node.input[1])
        rewrite.drop_input(node, 1)
        walk.set_value(node, "ratio", None if ratio is None else float(ratio))
    walk.set_value(node, "seed", None)
    rewrite.keep(node)


def _clip_11(rewrite: Rewrite, node: Any) -> None:
    bounds = {name: rewrite.needed(node, place, name) for place, name in _given(node, {1: "min", 2: "max"})}
    for place, _ in reversed(list(_given(node, {1: "min", 2: "max"}))):
        rewrite.drop_input(node, place)
    for name, value in bounds.items():
        walk.set_value(node, name, float(value))
    rewrite.keep(node)


def _given(node: Any, places: dict[int, str]) -> list[tuple[int, str]]:
    return [(place, name) for place, name in places.items() if len(node.input) > place and node.input[place]]


def _pad_18(rewrite: Rewrite, node: Any) -> None:
    if len(node.input) > 3 and node.input[3]:
        rank = rewrite.rank(node.input[0])
        if rank is None:
            raise Cannot(f"{label(node)}: the rank of {node.input[0]} is unknown")
        axes = [int(axis) % rank for axis in rewrite.needed(node, 3, "axes").ravel()]
        pads = [int(value) for value in rewrite.needed(node, 1, "pads").ravel()]
        full = [0] * (2 * rank)
        for place, axis in enumerate(axes):
            full[axis], full[rank + axis] = pads[place], pads[len(axes) + place]
        rewrite.drop_input(node, 3)
        rewrite.freed.add(node.input[1])
        node.input[1] = integers(rewrite, full, f"{node.output[0]}_pads")
    plain(rewrite, node, 18)
    rewrite.keep(node)


def _pad_11(rewrite: Rewrite, node: Any) -> None:
    pads = rewrite.needed(node, 1, "pads")
    if len(node.input) > 2 and node.input[2]:
        walk.set_value(node, "value", float(rewrite.needed(node, 2, "value")))
        rewrite.drop_input(node, 2)
    rewrite.drop_input(node, 1)
    walk.set_value(node, "pads", [int(value) for value in pads.ravel()])
    rewrite.keep(node)


def _slice_10(rewrite: Rewrite, node: Any) -> None:
    if len(node.input) > 4 and node.input[4]:
        if set(rewrite.needed(node, 4, "steps").ravel().tolist()) != {1}:
            raise Cannot(f"{label(node)}: steps other than 1 do not exist below opset 10")
        rewrite.drop_input(node, 4)
    found = {
        name: rewrite.needed(node, place, name) for place, name in _given(node, {1: "starts", 2: "ends", 3: "axes"})
    }
    for place in (3, 2, 1):
        if len(node.input) > place:
            rewrite.drop_input(node, place)
    for name, values in found.items():
        walk.set_value(node, name, [int(value) for value in values.ravel()])
    count_from_front(rewrite, node)
    rewrite.keep(node)


def _top_k_10(rewrite: Rewrite, node: Any) -> None:
    k = int(rewrite.needed(node, 1, "k").ravel()[0])
    rewrite.drop_input(node, 1)
    walk.set_value(node, "k", k)
    rewrite.keep(node)


def _constant_12(rewrite: Rewrite, node: Any) -> None:
    import numpy as np
    from onnx import numpy_helper

    kinds = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8", "value_string": "O",
             "value_strings": "O"}  # fmt: skip
    for name, kind in kinds.items():
        value = walk.value_of(node, name)
        if value is not None:
            walk.set_value(node, name, None)
            walk.set_value(node, "value", numpy_helper.from_array(np.array(value, kind)))
    rewrite.keep(node)


def _gemm_11(rewrite: Rewrite, node: Any) -> None:
    import numpy as np
    from onnx import helper

    if len(node.input) < 3 or not node.input[2]:
        element = rewrite.element(node.input[0])
        if element is None:
            raise Cannot(f"{label(node)}: the type of {node.input[0]} is unknown")
        put_input(
            node, 2, rewrite.constant(np.zeros(1, helper.tensor_dtype_to_np_dtype(element)), f"{node.output[0]}_c")
        )
    rewrite.keep(node)


def _grid_sample_20(rewrite: Rewrite, node: Any) -> None:
    if rewrite.rank(node.input[0]) not in (None, 4):
        raise Cannot(f"{label(node)}: below opset 20 it takes images of two dimensions only")
    mode = str(walk.value_of(node, "mode", "linear"))
    walk.set_value(node, "mode", {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode))
    rewrite.keep(node)


def _roi_align_16(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "coordinate_transformation_mode", "half_pixel") != "output_half_pixel":
        raise Cannot(f"{label(node)}: half_pixel does not exist below opset 16")
    walk.set_value(node, "coordinate_transformation_mode", None)
    rewrite.keep(node)


def _dft_20(rewrite: Rewrite, node: Any) -> None:
    axis = int(rewrite.needed(node, 2, "axis")) if len(node.input) > 2 and node.input[2] else -2
    if len(node.input) > 2:
        rewrite.drop_input(node, 2)
    walk.set_value(node, "axis", axis)
    rewrite.keep(node)


def _written_out(rewrite: Rewrite, node: Any) -> None:
    raise Cannot(f"{label(node)}: it means something else below its opset")


def _reshape_14(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "allowzero", 0) and 0 in rewrite.needed(node, 1, "the shape").ravel():
        raise Cannot(f"{label(node)}: allowzero does not exist below opset 14")
    walk.set_value(node, "allowzero", None)
    rewrite.keep(node)


def _shape_15(rewrite: Rewrite, node: Any) -> None:
    start, end = walk.value_of(node, "start", 0), walk.value_of(node, "end")
    if not start and end is None:
        walk.set_value(node, "start", None)
        rewrite.keep(node)
        return
    whole = rewrite.node("Shape", [node.input[0]])
    first = integers(rewrite, start, f"{node.output[0]}_start")
    last = integers(rewrite, (1 << 31) - 1 if end is None else end, f"{node.output[0]}_end")
    rewrite.node("Slice", [whole, first, last], node.output[0])


def _scatter_11(rewrite: Rewrite, node: Any) -> None:
    node.op_type = "Scatter"
    rewrite.keep(node)


RULES: dict[tuple[str, int], Rule] = {
    **{(name, 13): to_attribute("axes", 1) for name in ("Squeeze", "Unsqueeze")}, ("ReduceSum", 13): _reduce,
    **{(name, 18): _reduce for name in REDUCTIONS},
    **{(name, 13): _softmax_13 for name in ("Softmax", "LogSoftmax", "Hardmax")},
    **{(name, 13): one_axis(13) for name in ("QuantizeLinear", "DequantizeLinear")},
    ("BatchNormalization", 14): _batch_norm_14, ("Clip", 11): _clip_11, ("Constant", 12): _constant_12,
    ("DFT", 20): _dft_20, ("DequantizeLinear", 23): scale_type(23, "output_dtype"), ("Dropout", 12): _dropout_12,
    ("Gemm", 11): _gemm_11, ("GridSample", 20): _grid_sample_20, ("GroupNormalization", 21): _written_out,
    ("LayerNormalization", 17): layer_norm_17, ("Mod", 28): mod_28, ("Pad", 18): _pad_18, ("Pad", 11): _pad_11,
    ("QuantizeLinear", 21): quantize_21, ("QuantizeLinear", 23): scale_type(23, "precision"),
    ("RMSNormalization", 23): rms_norm_23, ("Range", 11): range_11, ("Range", 27): range_27,
    ("Reshape", 14): _reshape_14, ("Resize", 10): upsample_10, ("Resize", 11): resize_11, ("Resize", 13): resize_13,
    ("Resize", 18): resize_18, ("RoiAlign", 16): _roi_align_16, ("ScatterElements", 11): _scatter_11,
    ("Shape", 15): _shape_15, ("Slice", 10): _slice_10, ("Split", 13): to_attribute("split", 1),
    ("Split", 18): _split_18, ("TopK", 10): _top_k_10,
}  # fmt: skip
