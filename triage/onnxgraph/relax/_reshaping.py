"""Nodes that say sizes themselves: Reshape, Flatten, Slice, Split, Squeeze, Resize, Transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from triage.onnxgraph import walk
from triage.onnxgraph.factors import Dim, at, free, place
from triage.onnxgraph.naming import label
from triage.onnxgraph.relax._state import Baked, State

_END = (1 << 63) - 1
KEEP_TARGETS = 3  # the strategy that leaves a Reshape alone where its target still fits


def _reshape(state: State, node: Any) -> None:
    if len(node.input) < 2:
        raise Baked(f"{label(node)} is of an opset below 5")
    layout, targets = state.dims(node.input[0]), state.values(node.input[1])
    if layout is None or targets is None:
        return
    zero = not walk.value_of(node, "allowzero", 0)
    sizes = [[at(dim, case) for dim in layout] for case in range(state.cases)]
    given = [_resolved([int(x) for x in target], size, zero) for target, size in zip(targets, sizes, strict=True)]
    if given[0] is None:
        raise Baked(f"{label(node)} does not fit even the sizes that the file was made for")
    wanted = place(layout, given[0], state.strategy)
    if _fits(state, node, given, wanted, targets) or not any(free(dim) for dim in layout):
        return
    if wanted is None:
        raise Baked(f"{label(node)} takes a free dimension apart: {sizes[0]} becomes {given[0]}")
    node.input[1] = _target(state, layout, wanted, zero=zero)
    state.told[node.output[0]] = wanted
    state.mended.append(label(node))


def _fits(state: State, node: Any, given: Sequence[Any], wanted: list[Dim] | None, targets: Sequence[Any]) -> bool:
    """Whether the target that is there gives what it should at every size."""
    import numpy as np

    if any(each is None for each in given):
        return False
    if wanted is not None and [[at(dim, case) for dim in wanted] for case in range(state.cases)] == list(given):
        state.told[node.output[0]] = wanted
        return True
    follows = any(not np.array_equal(targets[0], other) for other in targets[1:])
    return wanted is None or follows or state.strategy >= KEEP_TARGETS


def _resolved(target: list[int], sizes: list[int], zero: bool) -> list[int] | None:
    """The output's dimensions; None where the target does not fit."""
    found = [sizes[axis] if size == 0 and zero and axis < len(sizes) else size for axis, size in enumerate(target)]
    count = _product(sizes)
    rest = _product([size for size in found if size != -1])
    if -1 in found:
        if not rest or count % rest:
            return None
        found[found.index(-1)] = count // rest
    return found if _product(found) == count else None


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def _target(state: State, layout: Sequence[Dim], wanted: Sequence[Dim], *, zero: bool) -> str:
    """A shape tensor: numbers where they stand for all sizes, 0 and -1 where they do, else worked out at run time."""
    entries: list[int | str] = []
    for axis, dim in enumerate(wanted):
        if not free(dim):
            entries.append(at(dim, 0))
        elif zero and axis < len(layout) and layout[axis] == dim:
            entries.append(0)
        else:
            entries.append("?")
    if "?" in entries:
        entries[entries.index("?")] = -1
    return shape_tensor(state, [each if isinstance(each, int) else wanted[axis] for axis, each in enumerate(entries)])


def shape_tensor(state: State, entries: Sequence[int | str | Dim]) -> str:
    """A 1-D int64 tensor of numbers, of tensors with one number, and of dimensions known at run time only."""
    if all(isinstance(each, int) for each in entries):
        return state.const(list(entries))
    pieces = [each if isinstance(each, str) else _piece(state, each) for each in entries]
    name = state.build.add("Concat", *pieces, axis=0) if len(pieces) > 1 else pieces[0]
    state.flush()
    return name


def _piece(state: State, entry: int | Dim) -> str:
    return state.const([entry]) if isinstance(entry, int) else state.size_of(entry)


def entries_of(state: State, name: str) -> list[int | str | Dim] | None:
    """The numbers of a shape tensor; those that differ from case to case as tensors of their own."""
    found = state.values(name)
    if found is None or any(value.ndim != 1 for value in found):
        return None
    entries: list[int | str | Dim] = []
    for where in range(len(found[0])):
        numbers = {int(value[where]) for value in found}
        entries.append(
            numbers.pop() if len(numbers) == 1 else state.build.add("Gather", name, state.const([where]), axis=0)
        )
    state.flush()
    return entries


def _flatten(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    if layout is None:
        return
    axis = int(walk.value_of(node, "axis", 1))
    axis += len(layout) if axis < 0 else 0
    own = [tuple(f for dim in layout[:axis] for f in dim), tuple(f for dim in layout[axis:] for f in dim)]
    wanted = place(layout, [at(dim, 0) for dim in own], state.strategy)
    natural = [[at(dim, case) for dim in own] for case in range(state.cases)]
    if wanted is None or [[at(dim, case) for dim in wanted] for case in range(state.cases)] == natural:
        state.told[node.output[0]] = wanted or own
        return
    if state.strategy >= KEEP_TARGETS:
        return
    node.op_type = "Reshape"
    del node.attribute[:]
    node.input.append(_target(state, layout, wanted, zero=True))
    state.told[node.output[0]] = wanted
    state.mended.append(label(node))


def _transpose(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    if layout is not None:
        order = walk.value_of(node, "perm") or list(range(len(layout)))[::-1]
        state.told[node.output[0]] = [layout[axis] for axis in order]


def _expand(state: State, node: Any) -> None:
    """Where the tensor brings the size itself, 1 says: as it is."""
    layout, target = state.dims(node.input[0]), state.constant(node.input[1])
    if layout is None or target is None:
        return
    changed = [int(size) for size in target]
    for back in range(1, min(len(layout), len(changed)) + 1):
        dim = layout[-back]
        if not free(dim) or changed[-back] == 1:
            continue
        if changed[-back] != at(dim, 0):
            raise Baked(f"at {label(node)} the free dimension meets one of {changed[-back]}")
        changed[-back] = 1
    if changed != [int(size) for size in target]:
        node.input[1] = state.const(changed)
        state.mended.append(label(node))


def _slice(state: State, node: Any) -> None:
    """An end that equals the old size means: to the end."""
    layout = state.dims(node.input[0])
    if layout is None:
        return
    if len(node.input) < 3:
        _old_slice(node, layout)
        return
    starts, ends = state.constant(node.input[1]), state.constant(node.input[2])
    if starts is None or ends is None:
        return
    axes = state.constant(node.input[3]) if len(node.input) > 3 and node.input[3] else list(range(len(starts)))
    steps = state.constant(node.input[4]) if len(node.input) > 4 and node.input[4] else [1] * len(starts)
    if axes is None or steps is None:
        return
    changed = [_to_the_end(layout[int(axis)], *triple) for axis, *triple in zip(axes, starts, ends, steps, strict=True)]
    if changed != [int(end) for end in ends]:
        node.input[2] = state.const(changed, str(ends.dtype))
        state.mended.append(label(node))


def _to_the_end(dim: Dim, start: Any, end: Any, step: Any) -> int:
    whole = free(dim) and int(end) == at(dim, 0) and int(step) > 0 and 0 <= int(start) < int(end)
    return (1 << 31) - 1 if whole else int(end)


def _old_slice(node: Any, layout: Sequence[Dim]) -> None:
    ends = list(walk.value_of(node, "ends", []))
    starts = list(walk.value_of(node, "starts", []))
    axes = list(walk.value_of(node, "axes", None) or range(len(starts)))
    told = [_to_the_end(layout[axis], start, end, 1) for axis, start, end in zip(axes, starts, ends, strict=True)]
    if told != ends:
        walk.set_value(node, "ends", told)


def _split(state: State, node: Any) -> None:
    """Equal parts of a free dimension stay equal parts."""
    layout = state.dims(node.input[0])
    if layout is None:
        return
    dim = layout[int(walk.value_of(node, "axis", 0))]
    given = state.constant(node.input[1]) if len(node.input) > 1 and node.input[1] else walk.value_of(node, "split")
    if not free(dim) or given is None:
        return
    sizes = [int(size) for size in given]
    if len(set(sizes)) > 1:
        raise Baked(f"{label(node)} cuts a free dimension into fixed parts of {sizes}")
    del node.input[1:]
    walk.set_value(node, "split", None)
    if state.build.opset >= 18:
        walk.set_value(node, "num_outputs", len(sizes))
    state.mended.append(label(node))


def _squeeze(state: State, node: Any) -> None:
    layout = state.dims(node.input[0])
    if layout is None:
        return
    given = state.constant(node.input[1]) if len(node.input) > 1 and node.input[1] else walk.value_of(node, "axes")
    if given is None:
        axes = [axis for axis, dim in enumerate(layout) if not free(dim) and at(dim, 0) == 1]
        if state.build.opset >= 13:
            del node.input[1:]
            node.input.append(state.const(axes))
        else:
            walk.set_value(node, "axes", axes)
        if len(axes) != sum(at(dim, 0) == 1 for dim in layout):
            state.mended.append(label(node))
        return
    for axis in given:
        if free(layout[int(axis)]):
            raise Baked(f"{label(node)} removes dimension {int(axis)}, so what follows is made for one item")


def _resize(state: State, node: Any) -> None:
    """Sizes that are the input's own, or those of the picture that is fed, follow."""
    if len(node.input) < 4 or not node.input[3]:
        return
    layout, sizes = state.dims(node.input[0]), state.constant(node.input[3])
    if layout is None or sizes is None or len(sizes) != len(layout):
        return
    entries = [_entry(state, axis, dim, int(size)) for axis, (dim, size) in enumerate(zip(layout, sizes, strict=True))]
    if any(not isinstance(each, int) for each in entries):
        node.input[3] = shape_tensor(state, entries)
        told = zip(entries, sizes, strict=True)
        state.told[node.output[0]] = [each if isinstance(each, tuple) else (int(size),) for each, size in told]
        state.mended.append(label(node))


def _entry(state: State, axis: int, dim: Dim, size: int) -> int | Dim:
    """The input's own size where they are equal, that of the picture which is fed where it has this size."""
    if not free(dim):
        return size
    if at(dim, 0) == size:
        return dim
    fed = {each.name: each for (_, own), each in state.symbols.items() if own == axis and each.values[0] == size}
    return (next(iter(fed.values())),) if len(fed) == 1 and axis > 0 else size


def check_resizes(state: State) -> None:
    """A fixed target size for a free picture may be meant or baked in: nobody can tell.

    Raises:
        Baked: there is one that is still in use.
    """
    for node in state.written:
        if node.op_type != "Resize" or len(node.input) < 4 or not node.input[3]:
            continue
        sizes, layout = state.values(node.input[3]), state.dims(node.input[0])
        if sizes is None or layout is None:
            continue
        for axis, dim in enumerate(layout):
            if free(dim) and len({int(each[axis]) for each in sizes}) == 1:
                raise Baked(f"{label(node)} resizes to a fixed {int(sizes[0][axis])}, which may be meant or baked in")


HANDLERS: dict[str, Callable[[State, Any], None]] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Expand": _expand,
    "Transpose": _transpose,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Resize": _resize,
}
