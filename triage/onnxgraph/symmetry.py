"""Zero points brought to 0: exactly where the integers can be shifted, else over a wider range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import quantized, walk
from triage.onnxgraph.quantized import Scope, Slot

MOVES = (
    "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Expand", "Tile",
    "DepthToSpace", "SpaceToDepth", "MaxPool",
)  # fmt: skip
_INT8, _INT32 = 3, 6


class Group(NamedTuple):
    """Nodes that share one quantized tensor: what writes it (None: it is stored), and all that reads it.

    ``exact``: the outputs stay what they are bit for bit. ``why`` is set where it cannot be done.
    """

    label: str
    writer: Slot | None
    readers: list[Slot]
    exact: bool = True
    why: str = ""


def groups(scope: Scope) -> Iterator[Group]:
    """Tensors that are quantized with a zero point other than 0, or in unsigned bytes."""
    for node in list(scope.body.node):
        if node.op_type == "QuantizeLinear":
            yield from _activation(scope, next(iter(quantized.slots(node)), None))
        elif node.op_type == "DequantizeLinear":
            yield from _stored(scope, next(iter(quantized.slots(node)), None))


def apply(scope: Scope, group: Group) -> None:
    """Brings one group to int8 with zero points of 0."""
    if group.writer is None:
        for slot in group.readers:
            _requantize(scope, slot)
        return
    import numpy as np

    first, others = group.writer, [slot.node for slot in group.readers]
    scale, zero, _ = _parameters(scope, first)
    names = {2: scope.put(first.node, 2, np.zeros(np.shape(scale), np.int8), _hint(first))}
    if not group.exact and first.scale is not None:
        hint = f"{first.node.input[first.scale]}_symmetric"
        names[first.scale] = scope.put(first.node, first.scale, _wider(scale, zero), hint)
    for node in others:
        for place, name in names.items():
            scope.point(node, place, name)
    if walk.value_of(first.node, "output_dtype", 0):
        walk.set_value(first.node, "output_dtype", _INT8)
    _retype(scope, first.name)


def _hint(slot: Slot) -> str:
    given = slot.node.input[2] if slot.zero is not None else f"{slot.name}_zero_point"
    return f"{given}_zero"


def _activation(scope: Scope, slot: Slot | None) -> Iterator[Group]:
    """A tensor that QuantizeLinear writes, with every DequantizeLinear that reads it."""
    import numpy as np

    if slot is None:
        return
    scale, zero, kind = _parameters(scope, slot)
    if scale is None or kind not in ("int8", "uint8") or (kind == "int8" and not zero.any()):
        return
    ends, strange = _ends(scope, slot.name)
    why = f"{strange} reads the bytes themselves" if strange else ""
    for end in ends:
        other_scale, other_zero, other_kind = _parameters(scope, end)
        if other_kind != kind or not (np.array_equal(other_scale, scale) and np.array_equal(other_zero, zero)):
            why = f"{end.label} has other parameters than {slot.label}"
    exact = kind == "uint8" and bool((zero.astype(np.int64) == 128).all())
    yield Group(slot.label, slot, ends, exact, why)


def _stored(scope: Scope, slot: Slot | None) -> Iterator[Group]:
    """Stored integers with one DequantizeLinear."""
    if slot is None:
        return
    values = scope.value(slot.node, slot.data)
    scale, zero, kind = _parameters(scope, slot)
    given = getattr(scope.body, "input", ())
    fed = slot.name in {value if isinstance(value, str) else value.name for value in given}
    if kind not in ("int8", "uint8", "int32") or scale is None or not (zero.any() or kind == "uint8"):
        return
    if fed:
        yield Group(
            slot.label, None, [slot], exact=False, why=f"{slot.name} is fed as bytes, which cannot be changed here"
        )
    elif values is not None:
        centred = _centred(slot, values, zero)
        fits = kind == "int32" or (centred.min(initial=0) >= -128 and centred.max(initial=0) <= 127)
        yield Group(slot.label, None, [slot], exact=bool(fits))


def _parameters(scope: Scope, slot: Slot) -> tuple[Any, Any, str]:
    """(scale, zero point, type) of a slot; the scale is None where they are no constants."""
    import numpy as np

    scale, zero = scope.value(slot.node, slot.scale), scope.value(slot.node, slot.zero)
    if scale is None or (slot.zero is not None and zero is None) or walk.value_of(slot.node, "block_size", 0):
        return None, None, ""
    if zero is None:
        element = scope.rewrite.element(slot.name)
        kind = {3: "int8", 6: "int32"}.get(element or 2, "uint8")
        zero = np.zeros(np.shape(scale), kind)
    return (
        scale,
        np.broadcast_to(zero.reshape(np.shape(scale)) if zero.size == scale.size else zero, np.shape(scale)),
        str(zero.dtype),
    )


def _ends(scope: Scope, name: str) -> tuple[list[Slot], str]:
    """Every DequantizeLinear that gets the bytes of a tensor, and a node that does something else with them."""
    found: list[Slot] = []
    outputs = {value if isinstance(value, str) else value.name for value in scope.body.output}
    if name in outputs:
        return found, f"the output {name}"
    for node in scope.readers(name):
        if node.op_type == "DequantizeLinear" and node.input[0] == name:
            found += list(quantized.slots(node))
        elif node.op_type in MOVES and node.input[0] == name:
            for output in node.output:
                deeper, strange = _ends(scope, output)
                found += deeper
                if strange:
                    return found, strange
        else:
            return found, f"{node.op_type} {node.name}".strip()
    return found, ""


def _wider(scale: Any, zero: Any) -> Any:
    """The scale at which -128 … 127 round 0 reach as far as the old range did."""
    import numpy as np

    low, high = (0, 255) if zero.dtype == np.uint8 else (-128, 127)
    below, above = (zero.astype(np.float64) - low) / 128, (high - zero.astype(np.float64)) / 127
    return (scale.astype(np.float64) * np.maximum(below, above)).astype(scale.dtype)


def _centred(slot: Slot, values: Any, zero: Any) -> Any:
    import numpy as np

    return values.astype(np.int64) - _spread(slot, values, zero).astype(np.int64)


def _spread(slot: Slot, values: Any, parameter: Any) -> Any:
    """A parameter laid along its axis."""
    if parameter.ndim != 1 or parameter.size == 1:
        return parameter.reshape(())
    form = [1] * values.ndim
    form[quantized.axis_of(slot) % values.ndim] = parameter.size
    return parameter.reshape(form)


def _requantize(scope: Scope, slot: Slot) -> None:
    """Stored integers without their zero point; where they do not fit, over a wider step."""
    import numpy as np

    values = scope.value(slot.node, slot.data)
    scale, zero, kind = _parameters(scope, slot)
    assert slot.data is not None  # noqa: S101 -- for the type checker
    assert slot.scale is not None  # noqa: S101
    centred = _centred(slot, values, zero)
    target = np.int32 if kind == "int32" else np.int8
    if target is np.int8 and (centred.min(initial=0) < -128 or centred.max(initial=0) > 127):
        steps = _steps(slot, centred, scale)
        scope.put(slot.node, slot.scale, (scale.astype(np.float64) * steps).astype(scale.dtype), f"{slot.name}_scale")
        centred = np.clip(np.rint(centred / _spread(slot, values, steps)), -128, 127)
    scope.put(slot.node, slot.data, centred.astype(target), f"{slot.name}_symmetric")
    scope.put(slot.node, 2, np.zeros(np.shape(scale), target), f"{slot.name}_zero")


def _steps(slot: Slot, centred: Any, scale: Any) -> Any:
    """How many old steps one new step is, at least 1, for each scale."""
    import numpy as np

    if scale.ndim == 1 and scale.size > 1:
        axis = quantized.axis_of(slot) % centred.ndim
        most = np.abs(np.moveaxis(centred, axis, 0).reshape(scale.size, -1)).max(axis=1)
    else:
        most = np.abs(centred).max().reshape(np.shape(scale))
    return np.maximum(most / 127, 1.0)


def _retype(scope: Scope, name: str) -> None:
    """The type that the graph declares for a tensor that is int8 now."""
    for value in getattr(scope.body, "value_info", ()):
        if value.name == name:
            value.type.tensor_type.elem_type = _INT8
    for node in scope.readers(name):
        if node.op_type in MOVES:
            for output in node.output:
                _retype(scope, output)
