"""Quantization parameters in a graph: which node has which scale and zero point, and putting others in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import types, walk
from triage.onnxgraph.rewrite import Names, Rewrite, label, prune

PAIR = ("QuantizeLinear", "DequantizeLinear")
DOMAINS = ("", "com.microsoft")
_BOTH = {  # operator -> (data, scale, zero point) of each input; data None: its output
    "QuantizeLinear": ((None, 1, 2),), "DequantizeLinear": ((0, 1, 2),),
    "QLinearConv": ((0, 1, 2), (3, 4, 5), (None, 6, 7)), "QLinearMatMul": ((0, 1, 2), (3, 4, 5), (None, 6, 7)),
    "QLinearAdd": ((0, 1, 2), (3, 4, 5), (None, 6, 7)), "QLinearMul": ((0, 1, 2), (3, 4, 5), (None, 6, 7)),
    "QLinearSigmoid": ((0, 1, 2), (None, 3, 4)), "QLinearLeakyRelu": ((0, 1, 2), (None, 3, 4)),
    "QLinearSoftmax": ((0, 1, 2), (None, 3, 4)), "QLinearAveragePool": ((0, 1, 2), (None, 3, 4)),
    "QLinearGlobalAveragePool": ((0, 1, 2), (None, 3, 4)), "QGemm": ((0, 1, 2), (3, 4, 5), (None, 7, 8)),
    "MatMulInteger": ((0, None, 2), (1, None, 3)), "ConvInteger": ((0, None, 2), (1, None, 3)),
}  # fmt: skip


class Slot(NamedTuple):
    """One quantized tensor of a node, with the places of its scale and zero point (None: it has none)."""

    node: Any
    data: int | None
    scale: int | None
    zero: int | None

    @property
    def name(self) -> str:
        """The quantized tensor."""
        return str(self.node.output[0] if self.data is None else self.node.input[self.data])

    @property
    def label(self) -> str:
        """The node as people find it."""
        return label(self.node)


def there(model: Any) -> bool:
    """Whether a model has quantized operators at all."""
    return any(node.op_type in _BOTH for node in walk.nodes(model))


def slots(node: Any) -> Iterator[Slot]:
    """The quantized tensors of a node; none for other nodes."""
    if walk.domain_of(node.domain) not in DOMAINS:
        return
    for data, scale, zero in _BOTH.get(node.op_type, ()):
        have = [place for place in (data, scale) if place is not None]
        if all(len(node.input) > place and node.input[place] for place in have):
            there = zero is not None and len(node.input) > zero and bool(node.input[zero])
            yield Slot(node, data, scale, zero if there else None)


class Scope:
    """A graph or function with its constants and types, in which parameters are looked at and replaced."""

    def __init__(self, model: Any, body: Any, rewrite: Rewrite, names: Names) -> None:
        self.body = body
        self.rewrite = rewrite
        self.opset = walk.version_of(model.opset_import) or 1
        self._plain = model.ir_version >= 4 and hasattr(body, "initializer")
        self._names = names
        self._freed: set[str] = set()
        self._writer = {name: node for node in body.node for name in node.output if name}

    def writer(self, name: str) -> Any:
        """The node of this graph that writes a tensor; None where none does."""
        return self._writer.get(name)

    def readers(self, name: str) -> list[Any]:
        """Nodes of this graph that read a tensor."""
        return [node for node in self.body.node if name in node.input]

    def value(self, node: Any, place: int | None) -> Any:
        """The constant at an input; None where there is none."""
        if place is None or len(node.input) <= place or not node.input[place]:
            return None
        return self.rewrite.const(node.input[place])

    def put(self, node: Any, place: int, array: Any, hint: str) -> str:
        """Gives a node a constant of its own at an input; gives its name."""
        from onnx import helper, numpy_helper

        name = self._names.fresh(hint)
        tensor = numpy_helper.from_array(array, name)
        if self._plain:
            self.body.initializer.append(tensor)
        else:
            made = helper.make_node("Constant", [], [name], value=tensor)
            self.body.node.insert(list(self.body.node).index(node), made)
        self.point(node, place, name)
        self.rewrite.note(name, tensor)
        return name

    def point(self, node: Any, place: int, name: str) -> None:
        """Lets a node read another constant at an input."""
        if place < len(node.input) and node.input[place]:
            self._freed.add(node.input[place])
        while len(node.input) <= place:
            node.input.append("")
        node.input[place] = name

    def drop(self, node: Any, place: int) -> None:
        """Takes an input away."""
        self._freed.add(node.input[place])
        self.rewrite.drop_input(node, place)

    def close(self) -> None:
        """Removes constants that nobody reads any more."""
        prune(self.body, self._freed)


def scopes(model: Any, folder: str = "") -> Iterator[Scope]:
    """Every graph and function of a model."""
    names, known = Names(model), types.inferred(model)
    fixed = model.ir_version < 4

    def inside(body: Any, rewrite: Rewrite) -> Iterator[Scope]:
        yield Scope(model, body, rewrite, names)
        for node in body.node:
            for attribute in node.attribute:
                for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                    yield from inside(graph, rewrite.inner(graph))

    yield from inside(model.graph, Rewrite(model.graph, names, known, fixed=fixed, folder=folder))
    for function in model.functions:
        yield from inside(function, Rewrite(function, names, {}, folder=folder))


def span(element: int) -> tuple[int, int] | None:
    """The smallest and largest value of an integer type; None for others."""
    import onnx

    words = {"INT8": (8, True), "UINT8": (8, False), "INT16": (16, True), "UINT16": (16, False), "INT32": (32, True),
             "INT4": (4, True), "UINT4": (4, False), "INT2": (2, True), "UINT2": (2, False)}  # fmt: skip
    found = words.get(onnx.TensorProto.DataType.Name(element))
    if found is None:
        return None
    bits, signed = found
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def axis_of(slot: Slot) -> int:
    """The axis along which a node's scales lie."""
    return int(walk.value_of(slot.node, "axis", 1))
