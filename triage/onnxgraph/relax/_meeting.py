"""Nodes where tensors meet: a fixed size against a free one shows that the size was baked in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.factors import Dim, at, free
from triage.onnxgraph.naming import label
from triage.onnxgraph.relax._demand import demand
from triage.onnxgraph.relax._reshaping import shape_tensor
from triage.onnxgraph.relax._state import Baked, State

_ELEMENTWISE = (
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "And", "Or", "Xor", "Equal", "Greater", "Less", "GreaterOrEqual",
    "LessOrEqual", "Max", "Min", "Sum", "Mean", "Where", "PRelu", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor",
)  # fmt: skip
_NORMS = ("BatchNormalization", "InstanceNormalization")


def _broadcast(state: State, node: Any, skip: int = 0) -> None:
    """Dimensions, counted from the last but ``skip``, must be equal or 1."""
    known = [(place, state.dims(name)) for place, name in enumerate(node.input)]
    longest = max((len(dims) for _, dims in known if dims is not None), default=0)
    for back in range(skip + 1, longest + 1):
        for follower, fixed in _clashes(state, node, back):
            axis = len(state.dims(node.input[fixed]) or ()) - back
            node.input[fixed] = demand(state, node.input[fixed], axis, follower)
            state.mended.append(label(node))


def _clashes(state: State, node: Any, back: int) -> Iterator[tuple[Dim, int]]:
    """(free dimension, place of the operand that is fixed there) at one axis, counted from the last."""
    there = []
    for place, name in enumerate(node.input):
        dims = state.dims(name)
        if dims is not None and len(dims) >= back:
            there.append((place, dims[-back]))
    frees = [dim for _, dim in there if free(dim)]
    if not frees:
        return
    first = frees[0]
    for dim in frees[1:]:
        if _sizes(state, dim) != _sizes(state, first):
            raise Baked(f"two free dimensions of different size meet at {label(node)}")
    for place, dim in there:
        if free(dim) or at(dim, 0) == 1:
            continue
        if at(dim, 0) != at(first, 0):
            raise Baked(f"at {label(node)} the free dimension meets one of {at(dim, 0)}")
        yield first, place


def _sizes(state: State, dim: Dim) -> list[int]:
    return [at(dim, case) for case in range(state.cases)]


def _equal(state: State, node: Any, places: list[int], skip: set[int]) -> None:
    """Operands of one rank that must agree on every axis but those in ``skip``."""
    known = [(place, state.dims(node.input[place])) for place in places]
    rank = len(known[0][1] or ())
    if any(dims is None or len(dims) != rank for _, dims in known):
        return
    for axis in set(range(rank)) - {each % rank for each in skip}:
        follower = next((dims[axis] for _, dims in known if dims and free(dims[axis])), None)
        if follower is None:
            continue
        for place, dims in known:
            if dims and not free(dims[axis]) and at(dims[axis], 0) == at(follower, 0):
                node.input[place] = demand(state, node.input[place], axis, follower)
                state.mended.append(label(node))


def _concat(state: State, node: Any) -> None:
    _equal(state, node, list(range(len(node.input))), {int(walk.value_of(node, "axis", 1))})


def _elements(state: State, node: Any) -> None:
    _equal(state, node, list(range(len(node.input))), {int(walk.value_of(node, "axis", 0))})


def _counts(values: Any, size: int, taken: set[int]) -> int | None:
    """The axis along which an array counts 0, 1, 2 … up to ``size``, and is the same along all others."""
    import numpy as np

    for axis in range(values.ndim):
        shape = [1] * values.ndim
        shape[axis] = size
        counting = np.arange(size, dtype=values.dtype).reshape(shape)
        if axis not in taken and values.shape[axis] == size and bool((values == counting).all()):
            return axis
    return None


def _range(state: State, dim: Dim, axis: int, rank: int) -> str:
    """0, 1, 2 … up to a free size, along one axis of so many."""
    count = state.build.over("Squeeze", state.size_of(dim), [0])
    line = state.build.add("Range", state.const(0), count, state.const(1))
    target = [1] * rank
    target[axis] = -1
    return state.build.add("Reshape", line, state.const(target))


def _gather_nd(state: State, node: Any) -> None:
    """Coordinates that count through a fixed size (or say 0 for a size of one) go on counting."""
    data, indices = state.dims(node.input[0]), state.constant(node.input[1])
    if not data or indices is None or walk.value_of(node, "batch_dims", 0) or indices.ndim < 2:
        return
    counting: dict[int, int] = {}
    for column in range(indices.shape[-1]):
        if free(data[column]):
            axis = _counts(indices[..., column], at(data[column], 0), set(counting.values()))
            if axis is None:
                return
            counting[column] = axis
    if counting:
        node.input[1] = _coordinates(state, indices, data, counting)
        state.mended.append(label(node))


def _coordinates(state: State, indices: Any, data: Sequence[Dim], counting: dict[int, int]) -> str:
    """Coordinates for every size: columns that count are counted at run time, the others repeated."""
    target: list[int | str | Dim] = [*(int(size) for size in indices.shape[:-1]), 1]
    for column, axis in counting.items():
        target[axis] = data[column]
    columns = []
    for column in range(indices.shape[-1]):
        if column in counting:
            made = _range(state, data[column], counting[column], indices.ndim)
        else:
            kept = indices[..., column : column + 1]
            for axis in counting.values():
                kept = kept.take([0], axis)
            made = state.const(kept.astype("int64"))
        columns.append(state.build.add("Expand", made, shape_tensor(state, target)))
    name = state.build.add("Concat", *columns, axis=-1)
    state.flush()
    return name


def _gather(state: State, node: Any) -> None:
    """Picks all rows one after the other, or all rows of each item: it goes on doing so."""
    data, indices = state.dims(node.input[0]), state.constant(node.input[1])
    if not data or indices is None or indices.ndim < 2 or walk.value_of(node, "axis", 0) or not free(data[0]):
        return
    first = data[0][:1]
    batch = first if indices.shape[0] == 1 and free(first) and at(first, 0) == 1 else ()
    rest = data[0][len(batch) :]
    along = _counts(indices, at(rest, 0), {0} if batch else set()) if rest and at(rest, 0) > 1 else None
    if (free(rest) and along is None) or not (batch or free(rest)):
        return
    rows = _range(state, rest, along, indices.ndim) if free(rest) and along else state.const(indices.astype("int64"))
    if free(rest) and along == 0:
        rows = _range(state, rest, 0, indices.ndim)
    if batch:
        begins = state.build.add("Mul", _range(state, batch, 0, indices.ndim), state.size_of(rest))
        rows = state.build.add("Add", rows, begins)
    node.input[1] = rows
    state.mended.append(label(node))
    state.flush()


def _contract(state: State, node: Any, left: Dim, right: Dim) -> None:
    for dim, other, place in ((left, right, 1), (right, left, 0)):
        if free(dim) and not free(other):
            raise Baked(f"{label(node)} multiplies the free dimension with {at(other, 0)} rows of {node.input[place]}")


def _matmul(state: State, node: Any) -> None:
    left, right = state.dims(node.input[0]), state.dims(node.input[1])
    if not left or not right:
        return
    _contract(state, node, left[-1], right[-2 if len(right) > 1 else -1])
    if len(left) > 2 or len(right) > 2:
        _broadcast(state, node, skip=2)


def _gemm(state: State, node: Any) -> None:
    left, right = state.dims(node.input[0]), state.dims(node.input[1])
    if not left or not right:
        return
    turned = walk.value_of(node, "transA", 0), walk.value_of(node, "transB", 0)
    _contract(state, node, left[0 if turned[0] else 1], right[1 if turned[1] else 0])
    bias = state.dims(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    rows = left[1 if turned[0] else 0]
    if bias and len(bias) == 2 and free(rows) and not free(bias[0]) and at(bias[0], 0) != 1:
        node.input[2] = demand(state, node.input[2], 0, rows)


def _recurrent(state: State, node: Any) -> None:
    """Zero states and lengths for a fixed batch follow the batch."""
    layout = state.dims(node.input[0])
    if layout is None:
        return
    first = bool(walk.value_of(node, "layout", 0))
    batch = layout[0 if first else 1]
    if not free(batch):
        return
    for place, axis in ((4, 0), (5, 0 if first else 1), (6, 0 if first else 1)):
        name = node.input[place] if len(node.input) > place else ""
        dims = state.dims(name) if name else None
        if dims and not free(dims[axis]):
            node.input[place] = demand(state, name, axis, batch)
            state.mended.append(label(node))


def _conv(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    if layout and len(layout) > 1 and free(layout[1]):
        raise Baked(f"the weights of {label(node)} are for a fixed number of channels")


def _norm(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    if layout and len(layout) > 1 and free(layout[1]):
        raise Baked(f"the weights of {label(node)} are for a fixed number of channels")


def _layer_norm(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    axis = int(walk.value_of(node, "axis", -1))
    if layout and any(free(dim) for dim in layout[axis:]):
        raise Baked(f"the weights of {label(node)} are for a fixed size")


HANDLERS: dict[str, Callable[[State, Any], None]] = {
    **dict.fromkeys(_ELEMENTWISE, _broadcast),
    **dict.fromkeys(_NORMS, _norm),
    **dict.fromkeys(("Conv", "ConvTranspose"), _conv),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("GatherElements", "ScatterElements"), _elements),
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Concat": _concat,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
}
