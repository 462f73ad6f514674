"""Gives a tensor that has a fixed size along an axis the size that a meeting tensor has there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.factors import Dim, Symbol, at, free
from triage.onnxgraph.naming import label
from triage.onnxgraph.relax._state import Baked, NeedsInput, State

_SAME = (
    "Identity", "Cast", "Neg", "Abs", "Exp", "Log", "Sqrt", "Sigmoid", "Tanh", "Relu", "Not", "Sin", "Cos", "Erf",
    "Floor", "Ceil", "Round", "Reciprocal", "Clip", "Dropout", "Sign", "LeakyRelu", "Gelu", "Softplus", "Elu",
)  # fmt: skip
_MEETING = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Equal", "Greater", "Less", "LessOrEqual", "GreaterOrEqual",
            "Where", "Min", "Max")  # fmt: skip


def demand(state: State, name: str, axis: int, dim: Dim) -> str:
    """A tensor like ``name`` whose axis has the free size ``dim``, equal to it at the old size.

    Raises:
        Baked: what it holds for other sizes is not known.
        NeedsInput: it comes straight from an input that is fixed there.
    """
    dims = state.dims(name)
    if dims is None:
        raise Baked(f"the shape of {name} is not known")
    axis %= len(dims)
    if free(dims[axis]):
        return name
    key = (name, axis, dim)
    if key not in state.rebuilt:
        made = _rebuild(state, name, axis, dim)
        layout = list(state.dims(made) or ())
        if len(layout) > axis and state.same_size(layout[axis], dim):
            layout[axis] = dim
            state.layouts[made] = layout
        state.rebuilt[key] = made
    return state.rebuilt[key]


def _rebuild(state: State, name: str, axis: int, dim: Dim) -> str:
    if state.is_input(name):
        raise NeedsInput(name, axis, at(dim, 1))
    value = state.constant(name)
    if value is not None:
        simple = _even(state, value, axis, dim) or _counting(state, value, axis, dim)
        if simple:
            return simple
    node = state.producers.get(name)
    told = label(node) if node is not None else name
    reason = Baked(f"{told} gives a fixed size of {at(dim, 0)} along dimension {axis}")
    if node is not None and node.op_type in _REBUILDERS and node.domain in ("", "ai.onnx"):
        try:
            return _REBUILDERS[node.op_type](state, node, axis, dim)
        except Baked as fault:
            reason = fault
    made = _triangle(state, value, axis, dim) or _front(state, value, name, axis, dim) if value is not None else None
    made = made or _repeat(state, name, axis, dim)
    if made is None:
        raise reason
    return made


def _repeat(state: State, name: str, axis: int, dim: Dim) -> str | None:
    """What no item of the batch has a part in (a learned query) is the same for each: it is repeated.

    The axis may hold more than the batch, as heads of an attention do: ``dim`` says which factor stands outside.
    """
    from triage.onnxgraph.relax._reshaping import shape_tensor

    layout = state.dims(name) or ()
    if any(free(each) for each in layout):
        return None
    if any(factor.values[0] != 1 or factor.role != "batch" for factor in dim if isinstance(factor, Symbol)):
        return None
    before, after = ([at(each, 0) for each in part] for part in (layout[:axis], layout[axis + 1 :]))
    apart = [1 if isinstance(factor, Symbol) else factor for factor in dim]
    times: list[int | str | Dim] = [(factor,) if isinstance(factor, Symbol) else 1 for factor in dim]
    made = state.build.add("Reshape", name, state.const([*before, *apart, *after]))
    state.flush()
    made = state.build.add("Expand", made, shape_tensor(state, [*[1] * len(before), *times, *[1] * len(after)]))
    state.flush()
    made = state.build.add("Reshape", made, shape_tensor(state, [*before, dim, *after]))
    state.flush()
    return made


def expand(state: State, name: str, axis: int, rank: int, dim: Dim) -> str:
    """Repeats a tensor along an axis where it has size 1."""
    from triage.onnxgraph.relax._reshaping import shape_tensor

    target: list[int | str | Dim] = [1] * rank
    target[axis] = dim
    made = state.build.add("Expand", name, shape_tensor(state, target))
    state.flush()
    return made


def _even(state: State, value: Any, axis: int, dim: Dim) -> str | None:
    """Where all along the axis is the same, one of it is repeated."""
    first = value.take([0], axis)
    if (value != first).any():
        return None
    return expand(state, state.const(first, str(value.dtype)), axis, value.ndim, dim)


def _counting(state: State, value: Any, axis: int, dim: Dim) -> str | None:
    """Where it counts along the axis (positions), it goes on counting."""
    import numpy as np

    if value.dtype.kind not in "if" or value.size != value.shape[axis] or value.size < 2 or value.dtype == np.float16:
        return None
    line = value.reshape(-1)
    step = line[1] - line[0]
    if step == 0 or not np.array_equal(line, line[0] + step * np.arange(len(line), dtype=value.dtype)):
        return None
    if value.dtype.kind == "f" and (step != np.floor(step) or line[0] != np.floor(line[0])):
        return None
    count = state.build.over("Squeeze", state.size_of(dim), [0])
    whole = state.build.add("Range", state.const(0), count, state.const(1))
    kind = kind_of(value)
    scaled = state.build.add("Cast", whole, to=kind)
    if step != 1:
        scaled = state.build.add("Mul", scaled, state.const(step, str(value.dtype)))
    if line[0] != 0:
        scaled = state.build.add("Add", scaled, state.const(line[0], str(value.dtype)))
    target = [1] * value.ndim
    target[axis] = -1
    made = state.build.add("Reshape", scaled, state.const(target))
    state.flush()
    return made


def kind_of(value: Any) -> int:
    """The ONNX element type of an array."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(value.dtype))


def _triangle(state: State, value: Any, axis: int, dim: Dim) -> str | None:
    """A causal mask: one value up to the diagonal, another above it."""
    import numpy as np

    side = value.shape[axis]
    if value.ndim < 2 or axis < value.ndim - 2 or value.shape[-2:] != (side, side) or value.size != side * side:
        return None
    if not _along(dim):
        return None
    flat = value.reshape(side, side)
    lower = np.tril(np.ones((side, side), dtype=bool))
    inside, outside = flat[0, 0], flat[0, -1]
    if side < 2 or (flat[lower] != inside).any() or (flat[~lower] != outside).any():
        return None
    count = state.build.over("Squeeze", state.size_of(dim), [0])
    steps = state.build.add("Range", state.const(0), count, state.const(1))
    column = state.build.add("Reshape", steps, state.const([-1, 1]))
    above = state.build.add("Greater", steps, column)
    kind = str(value.dtype)
    picked = state.build.add("Where", above, state.const(outside, kind), state.const(inside, kind))
    if value.ndim > 2:
        target = state.const([1] * (value.ndim - 2))
        shape = state.build.add("Concat", target, state.size_of(dim), state.size_of(dim), axis=0)
        picked = state.build.add("Reshape", picked, shape)
    state.flush()
    return picked


def _along(dim: Dim) -> bool:
    """Whether it is, by itself, the length of a sequence that is fed."""
    return len(dim) == 1 and isinstance(dim[0], Symbol) and dim[0].role == "length"


def _front(state: State, value: Any, name: str, axis: int, dim: Dim) -> str | None:
    """A table by position: its first rows, as far as it goes."""
    if not _along(dim):
        return None
    rows = value.shape[axis]
    if at(dim, 1) > rows:
        return None
    made = state.build.slice(name, state.const([0]), state.size_of(dim), axis)
    state.flush()
    return made


def _same(state: State, node: Any, axis: int, dim: Dim) -> str:
    return _again(state, node, {0: demand(state, node.input[0], axis, dim)})


def _again(state: State, node: Any, inputs: dict[int, str]) -> str:
    """The same node on other inputs."""
    copy = type(node)()
    copy.CopyFrom(node)
    for place, name in inputs.items():
        copy.input[place] = name
    for place, name in enumerate(node.output):
        copy.output[place] = state.build.fresh(node.op_type) if name else ""
    copy.name = state.build.fresh(node.op_type)
    state.build.nodes.append(copy)
    state.flush()
    return str(copy.output[0])


def _meeting(state: State, node: Any, axis: int, dim: Dim) -> str:
    rank = len(state.dims(node.output[0]) or ())
    changed: dict[int, str] = {}
    for place, name in enumerate(node.input):
        dims = state.dims(name)
        if dims is None:
            raise Baked(f"the shape of {name} is not known")
        own = axis - rank + len(dims)
        if own >= 0 and not free(dims[own]) and at(dims[own], 0) != 1:
            changed[place] = demand(state, name, own, dim)
    if not changed:
        return expand(state, node.output[0], axis, rank, dim)
    return _again(state, node, changed)


def _transpose(state: State, node: Any, axis: int, dim: Dim) -> str:
    rank = len(state.dims(node.output[0]) or ())
    order = walk.value_of(node, "perm") or list(range(rank))[::-1]
    return _again(state, node, {0: demand(state, node.input[0], order[axis], dim)})


def _unsqueeze(state: State, node: Any, axis: int, dim: Dim) -> str:
    rank = len(state.dims(node.output[0]) or ())
    told = state.constant(node.input[1]) if len(node.input) > 1 else walk.value_of(node, "axes")
    added = {int(each) % rank for each in (told if told is not None else [])}
    if axis in added:
        return expand(state, node.output[0], axis, rank, dim)
    return _again(state, node, {0: demand(state, node.input[0], axis - sum(each < axis for each in added), dim)})


def _filled(state: State, node: Any, axis: int, dim: Dim) -> str:
    """Expand, Tile, ConstantOfShape, Resize: the number in their shape is replaced."""
    from triage.onnxgraph.relax._reshaping import entries_of, shape_tensor

    place = {"Expand": 1, "Tile": 1, "Resize": 3}.get(node.op_type, 0)
    entries = entries_of(state, node.input[place]) if len(node.input) > place and node.input[place] else None
    if entries is None:
        raise Baked(f"the sizes of {label(node)} are worked out")
    own = axis - len(state.dims(node.output[0]) or ()) + len(entries)
    source = state.dims(node.input[0]) if place == 1 else None
    changed = {}
    if source is not None:
        inner = own - len(entries) + len(source)
        if inner >= 0 and at(source[inner], 0) != 1:
            changed[0] = demand(state, node.input[0], inner, dim)
    if own >= 0:
        entries[own] = 1 if changed else dim
    return _again(state, node, {**changed, place: shape_tensor(state, entries)})


def _gather(state: State, node: Any, axis: int, dim: Dim) -> str:
    data, indices = state.dims(node.input[0]), state.dims(node.input[1])
    if data is None or indices is None:
        raise Baked(f"the shape of what {label(node)} reads is not known")
    own = int(walk.value_of(node, "axis", 0)) % len(data)
    if axis < own:
        return _again(state, node, {0: demand(state, node.input[0], axis, dim)})
    if axis >= own + len(indices):
        return _again(state, node, {0: demand(state, node.input[0], axis - len(indices) + 1, dim)})
    rows = at(data[own], 0)
    made = demand(state, node.input[1], axis - own, dim)
    if at(dim, 1) > rows and state.constant(node.input[0]) is not None:
        raise Baked(
            f"{node.input[0]} has {rows} positions and the run needs {at(dim, 1)}; the others are not in the file"
        )
    return _again(state, node, {1: made})


def _slice(state: State, node: Any, axis: int, dim: Dim) -> str:
    """A piece from the start of a longer table: a longer or shorter piece."""
    from triage.onnxgraph.relax._reshaping import entries_of, shape_tensor

    told = [state.constant(name) if name else None for name in node.input[1:]]
    if len(told) < 2 or told[0] is None:
        raise Baked(f"{label(node)} cuts a fixed piece")
    axes = [int(each) for each in told[2]] if len(told) > 2 and told[2] is not None else list(range(len(told[0])))
    table = state.dims(node.input[0]) or ()
    where = next((place for place, each in enumerate(axes) if each % len(table) == axis), None)
    if where is None:
        return _again(state, node, {0: demand(state, node.input[0], axis, dim)})
    entries = entries_of(state, node.input[2])
    if entries is None or int(told[0][where]) != 0 or entries[where] != at(dim, 0) or not _along(dim):
        raise Baked(f"{label(node)} cuts a fixed piece")
    if at(dim, 1) > at(table[axis], 0):
        raise Baked(f"{node.input[0]} has {at(table[axis], 0)} positions and the run needs {at(dim, 1)}")
    entries[where] = dim
    target = shape_tensor(state, entries)
    if told[1] is not None and str(told[1].dtype) != "int64":
        target = state.build.add("Cast", target, to=kind_of(told[1]))
        state.flush()
    return _again(state, node, {2: target})


def _concat(state: State, node: Any, axis: int, dim: Dim) -> str:
    rank = len(state.dims(node.output[0]) or ())
    if int(walk.value_of(node, "axis", 0)) % rank == axis:
        raise Baked(f"{label(node)} joins pieces of fixed size")
    return _again(state, node, {place: demand(state, name, axis, dim) for place, name in enumerate(node.input)})


_REBUILDERS: dict[str, Callable[[State, Any, int, Dim], str]] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_MEETING, _meeting),
    **dict.fromkeys(("Expand", "Tile", "ConstantOfShape", "Resize"), _filled),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
}
