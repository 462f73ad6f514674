"""Makes fixed dimensions of an ONNX model's inputs free, and mends what bakes their sizes into the graph.

The graph is played through at several sizes at once: the one that the file was made for, the one that is wanted,
and one more. Where a node gets a size that does not follow the inputs, what holds the size is made to follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from triage.onnxgraph import shapes
from triage.onnxgraph.factors import Dim, Symbol, free
from triage.onnxgraph.relax._state import Baked, NeedsInput, State
from triage.onnxgraph.relax._walk import play

__all__ = ["Baked", "Relaxed", "Wanted", "relax"]


class Wanted(NamedTuple):
    """An input's dimension that is to be free; ``size`` is what the run needs, None where that is not known."""

    input: str
    axis: int
    size: int | None = None


class Relaxed(NamedTuple):
    """What became free: symbols by (input, axis), and how the outputs' dimensions follow from them."""

    symbols: Mapping[tuple[str, int], Symbol]
    outputs: Mapping[str, Sequence[Dim] | None]
    mended: tuple[str, ...]


def relax(model: Any, wanted: Sequence[Wanted], folder: str | None = None, strategy: int = 0) -> Relaxed:
    """Changes a model in place.

    Args:
        model: a valid one, nodes in order, without local functions.
        wanted: dimensions to free; those with equal axis, old and new size become one symbol.
        folder: where its external data lies.
        strategy: see ``factors.place``; 3 leaves a Reshape alone where its target still fits.

    Raises:
        Baked: it cannot be done; the text says what holds the size.
    """
    asked = list(wanted)
    for _ in range(len(model.graph.input) * 4 + 1):
        trial = type(model)()
        trial.CopyFrom(model)
        try:
            relaxed = _attempt(trial, asked, folder, strategy)
        except NeedsInput as more:
            asked.append(Wanted(more.input, more.axis, more.size))
            continue
        model.CopyFrom(trial)
        return relaxed
    raise Baked("its inputs depend on each other in a way that is not understood")


def _attempt(model: Any, wanted: Sequence[Wanted], folder: str | None, strategy: int) -> Relaxed:
    original = type(model)()
    original.CopyFrom(model)
    for cases in (3, 2):
        try:
            return _played(model, wanted, folder, strategy, cases)
        except Baked:
            if cases == 2:
                raise
        except shapes.Conflict as fault:
            if cases == 2:
                raise Baked(str(fault)) from None
        model.CopyFrom(original)
    raise AssertionError


def _played(model: Any, wanted: Sequence[Wanted], folder: str | None, strategy: int, cases: int) -> Relaxed:
    symbols = _symbols(model, wanted, cases)
    known = []
    for case in range(cases):
        sizes = {key: symbol.values[case] for key, symbol in symbols.items()}
        known.append(shapes.Facts(model, sizes=sizes, folder=folder))
    state = State(model, known, symbols, strategy, folder)
    play(state)
    _declare(model, state, {(each.input, each.axis) for each in wanted})
    outputs = {value.name: state.layouts.get(value.name) for value in model.graph.output}
    return Relaxed(symbols, outputs, tuple(state.mended))


def _symbols(model: Any, wanted: Sequence[Wanted], cases: int) -> dict[tuple[str, int], Symbol]:
    """A symbol for every free dimension of an input, the wanted and those that are free already."""
    asked = {(each.input, each.axis): each.size for each in wanted}
    stored = {tensor.name for tensor in model.graph.initializer}
    taken = {dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param}
    known: dict[tuple[object, ...], Symbol] = {}
    found: dict[tuple[str, int], Symbol] = {}
    for value in model.graph.input:
        if value.name in stored:
            continue
        dims = value.type.tensor_type.shape.dim
        for axis, dim in enumerate(dims):
            key = (value.name, axis)
            if key in asked and dim.HasField("dim_value"):
                kind: tuple[object, ...] = (axis, dim.dim_value, asked[key])
            elif dim.HasField("dim_value"):
                continue
            else:
                kind = (dim.dim_param,) if dim.dim_param else key
            if kind not in known:
                known[kind] = _symbol(value.name, axis, len(dims), dim, asked.get(key), cases, taken)
            found[key] = known[kind]
    return found


def _symbol(name: str, axis: int, rank: int, dim: Any, size: int | None, cases: int, taken: set[str]) -> Symbol:
    role = "batch" if axis == 0 else "length" if axis == 1 and rank <= 3 else "size"
    if not dim.HasField("dim_value"):
        values = ((2, 3, 5) if role == "batch" else (32, 64, 96))[:cases]
        return Symbol(dim.dim_param or f"{name}_{axis}", values, ("dim", name, axis), role)
    old = dim.dim_value
    third = {"batch": old * 5, "length": max(2, min(old, size or old) - 1)}.get(role, old * axis)
    new = size if size is not None and size != old else {"batch": old * 3, "length": max(2, old - 2)}.get(role, old * 4)
    while third in (old, new):
        third += old if role == "size" else 1
    plain = {"batch": "batch", "length": "length"}.get(role) or {2: "height", 3: "width"}.get(axis, f"{name}_{axis}")
    word, number_ = plain, 2
    while word in taken:
        word, number_ = f"{plain}_{number_}", number_ + 1
    taken.add(word)
    return Symbol(word, (old, new, third)[:cases], ("dim", name, axis), role)


def _declare(model: Any, state: State, asked: set[tuple[str, int]]) -> None:
    """Writes the free dimensions into the signature, and drops what the file told of tensors in between."""
    for value in model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if (value.name, axis) in asked:
                dim.dim_param = state.symbols[value.name, axis].name
    for value in model.graph.output:
        layout = state.layouts.get(value.name)
        shape = value.type.tensor_type.shape
        if layout is None:
            for axis, dim in enumerate(shape.dim):
                if dim.HasField("dim_value"):
                    dim.dim_param = f"{value.name}_{axis}"
            continue
        del shape.dim[:]
        for axis, each in enumerate(layout):
            _write(shape.dim.add(), each, f"{value.name}_{axis}")
    del model.graph.value_info[:]


def _write(dim: Any, told: Dim, name: str) -> None:
    if not free(told):
        size = 1
        for factor in told:
            size *= factor if isinstance(factor, int) else 1
        dim.dim_value = size
    elif len(told) == 1 and isinstance(told[0], Symbol) and told[0].role != "derived":
        dim.dim_param = told[0].name
    else:
        dim.dim_param = name
