"""Rules of single steps upwards: what an operator becomes at the next opset that changed it.

``RULES`` holds (operator, opset) -> rule; a rule changes the node and keeps it, or makes others. Every other step
goes by ``plain``: definitions that only gained types and optional parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triage.onnxgraph import schemas, walk
from triage.onnxgraph.rewrite import Cannot, Rewrite, label

Rule = Callable[[Rewrite, Any], None]
REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSumSquare",
)  # fmt: skip
_DROPPED = ("consumed_inputs", "output_sequence")  # hints that never changed what is computed


def plain(rewrite: Rewrite, node: Any, since: int) -> None:
    """A step that keeps the form: attributes that went away are dropped, defaults that changed are written out.

    Raises:
        Cannot: the node uses something that the newer definition lacks.
    """
    old, new = schemas.schema(node.op_type, since - 1), schemas.schema(node.op_type, since)
    if new.deprecated:
        raise Cannot(f"{label(node)}: {node.op_type} is deprecated at opset {since}")
    if since > schemas.REVIEWED and set(old.attributes) != set(new.attributes):
        raise Cannot(f"{label(node)}: {node.op_type} changed at opset {since}, which is newer than what is known here")
    for attribute in [each for each in node.attribute if each.name not in new.attributes]:
        if attribute.name not in _DROPPED:
            raise Cannot(f"{label(node)}: {node.op_type} has no attribute {attribute.name} from opset {since}")
        node.attribute.remove(attribute)
    keep_defaults(node, old, new)
    if not new.min_input <= len(node.input) <= new.max_input or len(node.output) > new.max_output:
        raise Cannot(f"{label(node)}: {node.op_type} takes other inputs or outputs from opset {since}")


def keep_defaults(node: Any, old: Any, new: Any) -> None:
    """Writes out the default of an attribute where the other definition has another one."""
    for name, attribute in old.attributes.items():
        other = new.attributes.get(name)
        if walk.attribute(node, name) is not None or other is None or not attribute.default_value.type:
            continue
        if attribute.default_value.SerializeToString() != other.default_value.SerializeToString():
            node.attribute.append(attribute.default_value)


def to_input(name: str, place: int) -> Rule:
    """The rule that turns a list of integers from an attribute into an input."""

    def rule(rewrite: Rewrite, node: Any) -> None:
        values = walk.value_of(node, name)
        if values is not None:
            put_input(node, place, integers(rewrite, values, f"{node.output[0]}_{name}"))
            walk.set_value(node, name, None)
        rewrite.keep(node)

    return rule


def integers(rewrite: Rewrite, values: Any, hint: str) -> str:
    """A constant of 64-bit integers; one number becomes a list of one."""
    import numpy as np

    return rewrite.constant(np.atleast_1d(np.array(values, np.int64)), hint)


def put_input(node: Any, place: int, name: str) -> None:
    """Sets an input, with empty ones before it where there are too few."""
    while len(node.input) <= place:
        node.input.append("")
    node.input[place] = name


def like(rewrite: Rewrite, node: Any, value: float, hint: str) -> str:
    """A scalar constant of the element type of a node's first input."""
    import numpy as np
    from onnx import helper

    element = rewrite.element(node.input[0])
    if element is None:
        raise Cannot(f"{label(node)}: the type of {node.input[0]} is unknown")
    return rewrite.constant(np.array(value, helper.tensor_dtype_to_np_dtype(element)), hint)


def _split(rewrite: Rewrite, node: Any) -> None:
    if len(node.input) < 2 or not node.input[1]:
        walk.set_value(node, "num_outputs", len(node.output))
    rewrite.keep(node)


def _clip(rewrite: Rewrite, node: Any) -> None:
    for place, name in ((1, "min"), (2, "max")):
        value = walk.value_of(node, name)
        if value is not None:
            put_input(node, place, like(rewrite, node, value, f"{node.output[0]}_{name}"))
            walk.set_value(node, name, None)
    rewrite.keep(node)


def _pad(rewrite: Rewrite, node: Any) -> None:
    value = walk.value_of(node, "value", 0.0)
    put_input(node, 1, integers(rewrite, walk.value_of(node, "pads", []), f"{node.output[0]}_pads"))
    if value:
        put_input(node, 2, like(rewrite, node, value, f"{node.output[0]}_value"))
    for name in ("pads", "value"):
        walk.set_value(node, name, None)
    rewrite.keep(node)


def _slice(rewrite: Rewrite, node: Any) -> None:
    for place, name in ((1, "starts"), (2, "ends"), (3, "axes")):
        values = walk.value_of(node, name)
        if values is not None:
            put_input(node, place, integers(rewrite, values, f"{node.output[0]}_{name}"))
            walk.set_value(node, name, None)
    rewrite.keep(node)


def _flat_softmax(rewrite: Rewrite, node: Any) -> None:
    """Until opset 12 all dimensions from ``axis`` on count as one; from 13 on only that one."""
    axis, rank = walk.value_of(node, "axis", 1), rewrite.rank(node.input[0])
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        walk.set_value(node, "axis", -1)
        rewrite.keep(node)
        return
    given, output = node.input[0], node.output[0]
    shape = rewrite.node("Shape", [given])
    flat = rewrite.node("Flatten", [given], axis=axis)
    result = rewrite.node(node.op_type, [flat], axis=-1)
    rewrite.node("Reshape", [result, shape], output)


def _batch_norm_7(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "is_test", 0) == 0 and len([name for name in node.output if name]) > 1:
        raise Cannot(f"{label(node)}: it is in training mode")
    walk.set_value(node, "is_test", None)
    rewrite.keep(node)


def _batch_norm_9(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "spatial", 1) != 1:
        raise Cannot(f"{label(node)}: spatial=0 has no form from opset 9")
    walk.set_value(node, "spatial", None)
    rewrite.keep(node)


def _one_output(rewrite: Rewrite, node: Any) -> None:
    """BatchNormalization 14 and Dropout 10: further outputs changed, the first did not."""
    if len([name for name in node.output if name]) > 1:
        raise Cannot(f"{label(node)}: it is in training mode, or its mask is wanted, which changed")
    del node.output[1:]
    rewrite.keep(node)


def _dropout_12(rewrite: Rewrite, node: Any) -> None:
    walk.set_value(node, "ratio", None)  # never used outside training, and there was no training until now
    rewrite.keep(node)


def _dropout_7(rewrite: Rewrite, node: Any) -> None:
    if not walk.value_of(node, "is_test", 0):
        raise Cannot(f"{label(node)}: it is in training mode")
    walk.set_value(node, "is_test", None)
    rewrite.keep(node)


def _cast_6(rewrite: Rewrite, node: Any) -> None:
    import onnx

    walk.set_value(node, "to", onnx.TensorProto.DataType.Value(str(walk.value_of(node, "to")).upper()))
    rewrite.keep(node)


def _broadcast_7(rewrite: Rewrite, node: Any) -> None:
    """Until opset 6 the second operand is laid along ``axis``; from 7 on along the last dimensions."""
    axis, spread = walk.value_of(node, "axis"), walk.value_of(node, "broadcast", 0)
    for name in ("axis", "broadcast", "consumed_inputs"):
        walk.set_value(node, name, None)
    if spread and axis is not None:
        first, second = rewrite.rank(node.input[0]), rewrite.rank(node.input[1])
        if first is None or second is None:
            raise Cannot(f"{label(node)}: the ranks of its operands are unknown")
        trailing = first - axis % first - second
        if trailing > 0:
            axes = list(range(second, second + trailing))
            node.input[1] = rewrite.node("Unsqueeze", [node.input[1]], axes=axes)
    rewrite.keep(node)


def _slope_7(rewrite: Rewrite, node: Any) -> None:
    rank, slope = rewrite.rank(node.input[0]), rewrite.sizes(node.input[1])
    walk.set_value(node, "consumed_inputs", None)
    if slope is None or rank is None:
        raise Cannot(f"{label(node)}: the shapes of its operands are unknown")
    if len(slope) == 1 and slope[0] != 1 and rank > 2:
        node.input[1] = rewrite.node("Unsqueeze", [node.input[1]], axes=list(range(1, rank - 1)))
    rewrite.keep(node)


def _upsample_9(rewrite: Rewrite, node: Any) -> None:
    import numpy as np

    scales = np.array(walk.value_of(node, "scales"), np.float32)
    put_input(node, 1, rewrite.constant(scales, f"{node.output[0]}_scales"))
    walk.set_value(node, "scales", None)
    rewrite.keep(node)


def _upsample_10(rewrite: Rewrite, node: Any) -> None:
    """Nearest is only laid down for enlarging: x * scale rounded down."""
    if walk.value_of(node, "mode", "nearest") == "nearest":
        scales = rewrite.needed(node, 1, "the scale")
        if (scales < 1).any():
            raise Cannot(f"{label(node)}: making smaller with nearest was never laid down before opset 11")
    node.op_type = "Resize"
    rewrite.keep(node)


def _resize_11(rewrite: Rewrite, node: Any) -> None:
    import numpy as np

    _nearest_enlarges(rewrite, node)
    roi = rewrite.constant(np.zeros(0, np.float32), f"{node.output[0]}_roi")
    scales = node.input[1]
    del node.input[1:]
    node.input.extend([roi, scales])
    walk.set_value(node, "coordinate_transformation_mode", "asymmetric")
    if walk.value_of(node, "mode", "nearest") == "nearest":
        walk.set_value(node, "nearest_mode", "floor")
    rewrite.keep(node)


def _nearest_enlarges(rewrite: Rewrite, node: Any) -> None:
    if walk.value_of(node, "mode", "nearest") == "nearest" and (rewrite.needed(node, 1, "the scale") < 1).any():
        raise Cannot(f"{label(node)}: making smaller with nearest was never laid down before opset 11")


def _top_k_10(rewrite: Rewrite, node: Any) -> None:
    put_input(node, 1, integers(rewrite, walk.value_of(node, "k"), f"{node.output[0]}_k"))
    walk.set_value(node, "k", None)
    rewrite.keep(node)


def _reshape_5(rewrite: Rewrite, node: Any) -> None:
    put_input(node, 1, integers(rewrite, walk.value_of(node, "shape", []), f"{node.output[0]}_shape"))
    for name in ("shape", "consumed_inputs"):
        walk.set_value(node, name, None)
    rewrite.keep(node)


def _concat_4(rewrite: Rewrite, node: Any) -> None:
    walk.set_value(node, "axis", walk.value_of(node, "axis", 1))
    rewrite.keep(node)


def _scatter_11(rewrite: Rewrite, node: Any) -> None:
    node.op_type = "ScatterElements"
    rewrite.keep(node)


def _grid_sample_20(rewrite: Rewrite, node: Any) -> None:
    mode = str(walk.value_of(node, "mode", "bilinear"))
    walk.set_value(node, "mode", {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))
    rewrite.keep(node)


def _roi_align_16(rewrite: Rewrite, node: Any) -> None:
    walk.set_value(node, "coordinate_transformation_mode", "output_half_pixel")
    rewrite.keep(node)


def _dft_20(rewrite: Rewrite, node: Any) -> None:
    import numpy as np

    axis = rewrite.constant(np.array(walk.value_of(node, "axis", 1), np.int64), f"{node.output[0]}_axis")
    put_input(node, 2, axis)
    walk.set_value(node, "axis", None)
    rewrite.keep(node)


def _group_norm_21(rewrite: Rewrite, node: Any) -> None:
    """Until opset 20 scale and bias have a value for each group, from 21 on one for each channel."""
    groups, sizes = walk.value_of(node, "num_groups"), rewrite.sizes(node.input[0])
    channels = sizes[1] if sizes and len(sizes) > 1 else None
    if not channels:
        raise Cannot(f"{label(node)}: the number of channels is unknown")
    for place in (1, 2):
        name = node.input[place]
        column = rewrite.node("Reshape", [name, integers(rewrite, [groups, 1], f"{name}_column")])
        spread = rewrite.node("Expand", [column, integers(rewrite, [groups, channels // groups], f"{name}_spread")])
        node.input[place] = rewrite.node("Reshape", [spread, integers(rewrite, [channels], f"{name}_channels")])
    rewrite.keep(node)


def _gemm_7(rewrite: Rewrite, node: Any) -> None:
    walk.set_value(node, "broadcast", None)  # from opset 7 on the third operand is always spread as it has to be
    rewrite.keep(node)


def _never(why: str) -> Rule:
    def rule(rewrite: Rewrite, node: Any) -> None:
        raise Cannot(f"{label(node)}: {why}")

    return rule


_BROADCAST = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
_FLAT = ("Softmax", "LogSoftmax", "Hardmax")

RULES: dict[tuple[str, int], Rule] = {
    **{(name, 13): to_input("axes", 1) for name in ("Squeeze", "Unsqueeze", "ReduceSum")},
    **{(name, 18): to_input("axes", 1) for name in REDUCTIONS},
    **{(name, 7): _broadcast_7 for name in _BROADCAST},
    **{(name, 13): _flat_softmax for name in _FLAT},
    ("BatchNormalization", 7): _batch_norm_7, ("BatchNormalization", 9): _batch_norm_9,
    ("BatchNormalization", 14): _one_output, ("Cast", 6): _cast_6, ("Clip", 11): _clip, ("Concat", 4): _concat_4,
    ("DFT", 20): _dft_20, ("Dropout", 7): _dropout_7, ("Dropout", 10): _one_output, ("Dropout", 12): _dropout_12,
    ("Gemm", 7): _gemm_7, ("GridSample", 20): _grid_sample_20, ("GroupNormalization", 21): _group_norm_21,
    ("PRelu", 7): _slope_7, ("Pad", 11): _pad, ("Reshape", 5): _reshape_5, ("Resize", 11): _resize_11,
    ("RoiAlign", 16): _roi_align_16, ("Scan", 9): _never("Scan took its inputs differently before opset 9"),
    ("Scatter", 11): _scatter_11, ("Slice", 10): _slice, ("Split", 13): to_input("split", 1), ("Split", 18): _split,
    ("Tile", 6): _never("Tile took its inputs differently before opset 6"), ("TopK", 10): _top_k_10,
    ("Upsample", 9): _upsample_9, ("Upsample", 10): _upsample_10,
}  # fmt: skip
