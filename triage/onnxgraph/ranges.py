"""Which whole numbers an input of an ONNX model may hold, as far as the graph shows: row numbers of tables, masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

# operators that hand on the values of their inputs, at most in another shape or type
_PASSING = frozenset(
    ("Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Flatten", "Expand", "Concat", "Slice",
     "Split", "Tile", "Clip", "Pad", "CastLike", "Abs")
)  # fmt: skip
_TABLES = frozenset(("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "GatherBlockQuantized"))
_HOLDING = ("Cast", "DequantizeLinear", "Identity", "Transpose")
_SIZES = frozenset(("ConstantOfShape", "Range", "Expand", "Tile", "Reshape", "TopK", "Slice", "Resize", "Loop"))


class Range(NamedTuple):
    """What whole numbers an input takes: ``high`` None where nothing is known; ``mask`` only zeros and ones."""

    low: int = 0
    high: int | None = None
    mask: bool = False


def ranges_of(model: Any, names: Sequence[str]) -> dict[str, Range]:
    """Ranges of the named inputs."""
    graphs = [*_graphs(model.graph), *model.functions]
    nodes = [node for graph in graphs for node in graph.node]
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    held = _held(graphs, nodes)
    return {name: _range(name, _reached(name, readers), held, readers) for name in names}


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _graphs(inner)


def _held(graphs: Iterable[Any], nodes: Sequence[Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that the model holds, also of those that are only cast or dequantized."""
    held = {tensor.name: tuple(tensor.dims) for graph in graphs for tensor in getattr(graph, "initializer", ())}
    for node in nodes:
        if node.op_type == "Constant" and node.output:
            value = next((one.t for one in node.attribute if one.name == "value"), None)
            if value is not None:
                held[node.output[0]] = tuple(value.dims)
        elif node.op_type in _HOLDING and node.input and node.input[0] in held:
            dims = held[node.input[0]]
            held[node.output[0]] = _transposed(node, dims) if node.op_type == "Transpose" else dims
    return held


def _transposed(node: Any, dims: tuple[int, ...]) -> tuple[int, ...]:
    order = next((list(one.ints) for one in node.attribute if one.name == "perm"), list(reversed(range(len(dims)))))
    return tuple(dims[place] for place in order) if len(order) == len(dims) else dims


def _reached(name: str, readers: Mapping[str, Sequence[Any]]) -> dict[str, None]:
    """Tensors that hold the values of an input: itself, and what operators hand on."""
    found, left = {name: None}, [name]
    while left:
        current = left.pop()
        for node in readers.get(current, ()):
            passes = node.op_type in _PASSING and (node.op_type == "Concat" or node.input[0] == current)
            for output in node.output if passes else ():
                if output not in found:
                    found[output] = None
                    left.append(output)
    return found


def _range(
    name: str, reached: Mapping[str, None], held: Mapping[str, tuple[int, ...]], readers: Mapping[str, Sequence[Any]]
) -> Range:
    limits, sized = [], False
    for tensor in reached:
        for node in readers.get(tensor, ()):
            rows = _rows(node, tensor, held)
            if rows:
                limits.append(rows)
            sized = sized or (node.op_type in _SIZES and tensor in node.input[1:]) or node.op_type == "ConstantOfShape"
    if limits:
        return Range(0, min(limits) - 1)
    if "mask" in name.lower():
        return Range(0, 1, mask=True)
    return Range(1, 4) if sized else Range()


def _rows(node: Any, tensor: str, held: Mapping[str, tuple[int, ...]]) -> int | None:
    """How many rows the table has in which a tensor's values are row numbers."""
    inputs = list(node.input)
    if node.op_type in _TABLES and tensor in inputs[1:2]:
        dims = held.get(inputs[0])
        if not dims:
            return None
        axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
        if node.op_type in ("GatherND", "ScatterND"):
            return min(dims)
        return dims[axis] if -len(dims) <= axis < len(dims) else None
    if node.op_type == "EmbedLayerNormalization" and tensor in inputs[:2]:
        dims = held.get(inputs[2 if tensor == inputs[0] else 4], ())
        return dims[0] if dims else None
    return None
