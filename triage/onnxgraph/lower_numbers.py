"""Normalizations, remainders, ranges and quantization at older opsets."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.lift import Rule, integers, put_input
from triage.onnxgraph.lower_plain import plain
from triage.onnxgraph.rewrite import Cannot, Never, Rewrite, label


def layer_norm_17(rewrite: Rewrite, node: Any) -> None:
    """In two passes, which keeps more digits than the body that the standard gives."""
    axis, stash = walk.value_of(node, "axis", -1), walk.value_of(node, "stash_type", 1)
    rank, element = rewrite.rank(node.input[0]), rewrite.element(node.input[0])
    if len([name for name in node.output if name]) > 1 or (axis != -1 and rank is None) or element is None:
        raise Cannot(f"{label(node)}: its mean is wanted, or its rank or type is unknown")
    import numpy as np
    from onnx import helper

    axes = [-1] if axis == -1 else list(range(axis % (rank or 1) - (rank or 1), 0))
    given = node.input[0] if element == stash else rewrite.node("Cast", [node.input[0]], to=stash)
    kind = helper.tensor_dtype_to_np_dtype(stash)
    small = rewrite.constant(np.array(walk.value_of(node, "epsilon", 1e-5), kind), f"{node.output[0]}_epsilon")
    centred = rewrite.node("Sub", [given, rewrite.node("ReduceMean", [given], axes=axes, keepdims=1)])
    spread = rewrite.node("ReduceMean", [rewrite.node("Mul", [centred, centred])], axes=axes, keepdims=1)
    result = rewrite.node("Div", [centred, rewrite.node("Sqrt", [rewrite.node("Add", [spread, small])])])
    if element != stash:
        result = rewrite.node("Cast", [result], to=element)
    parts = [name for name in node.input[2:3] if name]
    result = rewrite.node("Mul", [result, node.input[1]], None if parts else node.output[0])
    if parts:
        rewrite.node("Add", [result, parts[0]], node.output[0])


def rms_norm_23(rewrite: Rewrite, node: Any) -> None:
    """Division by the root of the mean square."""
    axis, stash = walk.value_of(node, "axis", -1), walk.value_of(node, "stash_type", 1)
    rank, element = rewrite.rank(node.input[0]), rewrite.element(node.input[0])
    if (axis != -1 and rank is None) or element is None:
        raise Cannot(f"{label(node)}: its rank or type is unknown")
    import numpy as np
    from onnx import helper

    axes = [-1] if axis == -1 else list(range(axis % (rank or 1) - (rank or 1), 0))
    given = node.input[0] if element == stash else rewrite.node("Cast", [node.input[0]], to=stash)
    small = np.array(walk.value_of(node, "epsilon", 1e-5), helper.tensor_dtype_to_np_dtype(stash))
    along = integers(rewrite, axes, f"{node.output[0]}_axes")
    spread = rewrite.node("ReduceMean", [rewrite.node("Mul", [given, given]), along], keepdims=1)
    shifted = rewrite.node("Add", [spread, rewrite.constant(small, f"{node.output[0]}_epsilon")])
    result = rewrite.node("Div", [given, rewrite.node("Sqrt", [shifted])])
    if element != stash:
        result = rewrite.node("Cast", [result], to=element)
    rewrite.node("Mul", [result, node.input[1]], node.output[0])


def mod_28(rewrite: Rewrite, node: Any) -> None:
    """From opset 28 on fmod=0 takes floats: the remainder with the sign of the divisor."""
    element = rewrite.element(node.input[0])
    if walk.value_of(node, "fmod", 0) or element not in (1, 10, 11, 16):
        if element is None and not walk.value_of(node, "fmod", 0):
            raise Cannot(f"{label(node)}: the type of {node.input[0]} is unknown")
        rewrite.keep(node)
        return
    import numpy as np
    from onnx import helper

    first, second = node.input
    zero = rewrite.constant(np.array(0, helper.tensor_dtype_to_np_dtype(element)), f"{node.output[0]}_zero")
    rest = rewrite.node("Mod", [first, second], fmod=1)
    signs = rewrite.node("Xor", [rewrite.node("Less", [rest, zero]), rewrite.node("Less", [second, zero])])
    wrong = rewrite.node("And", [signs, rewrite.node("Not", [rewrite.node("Equal", [rest, zero])])])
    rewrite.node("Where", [wrong, rewrite.node("Add", [rest, second]), rest], node.output[0])


def range_27(rewrite: Rewrite, node: Any) -> None:
    """From opset 27 on Range takes half floats, counting in float where stash_type is 1."""
    element, stash = rewrite.element(node.input[0]), walk.value_of(node, "stash_type", 1)
    walk.set_value(node, "stash_type", None)
    if element not in (10, 16):
        rewrite.keep(node)
        return
    if stash != 1:
        raise Cannot(f"{label(node)}: counting in half floats does not exist below opset 27")
    given = [rewrite.node("Cast", [name], to=stash) for name in node.input]
    rewrite.node("Cast", [rewrite.node("Range", given)], node.output[0], to=element)


def range_11(rewrite: Rewrite, node: Any) -> None:
    """There was none, and what its definition is made of counts otherwise below opset 11."""
    raise Never(f"{label(node)}: Range does not exist below opset 11")


def quantize_21(rewrite: Rewrite, node: Any) -> None:
    """Without a zero point the type of the output may stand in an attribute; below it is always the zero point's."""
    import numpy as np
    from onnx import helper

    wanted = walk.value_of(node, "output_dtype", 0)
    if wanted and (len(node.input) < 3 or not node.input[2]):
        sizes = rewrite.sizes(node.input[1])
        if sizes is None or None in sizes:
            raise Cannot(f"{label(node)}: the shape of its scale is unknown")
        zero = np.zeros([size or 0 for size in sizes], helper.tensor_dtype_to_np_dtype(wanted))
        put_input(node, 2, rewrite.constant(zero, f"{node.output[0]}_zero_point"))
    walk.set_value(node, "output_dtype", None)
    _plain(21)(rewrite, node)


def scale_type(since: int, name: str) -> Rule:
    """Attributes that only say again what the scale's type is."""

    def rule(rewrite: Rewrite, node: Any) -> None:
        wanted = walk.value_of(node, name, 0)
        if wanted and wanted == rewrite.element(node.input[1]):
            walk.set_value(node, name, None)
        _plain(since)(rewrite, node)

    return rule


def _plain(since: int) -> Rule:
    def rule(rewrite: Rewrite, node: Any) -> None:
        plain(rewrite, node, since)
        rewrite.keep(node)

    return rule


def one_axis(since: int) -> Rule:
    """Below opset 13 quantization had no axis: one scale for the whole tensor."""

    def rule(rewrite: Rewrite, node: Any) -> None:
        sizes = rewrite.sizes(node.input[1])
        if sizes is None or (sizes and sizes != [1]):
            raise Cannot(f"{label(node)}: one scale for each channel does not exist below opset {since}")
        walk.set_value(node, "axis", None)
        rewrite.keep(node)

    return rule
