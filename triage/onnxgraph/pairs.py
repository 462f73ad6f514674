"""QuantizeLinear without its DequantizeLinear, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import quantized, schemas, walk
from triage.onnxgraph.quantized import PAIR, Scope
from triage.onnxgraph.rewrite import label
from triage.onnxgraph.symmetry import MOVES

_FLOATS = (1, 10, 11, 16)
_BYTES = (2, 3, 4, 5)


class Lone(NamedTuple):
    """A node whose partner is missing.

    ``tensor`` is what the partner has to read, ``partner`` its operator, ``model`` the node with the parameters that
    it takes over, ``readers`` the nodes that are to read what it writes. ``why`` is set where nothing can be done.
    """

    label: str
    tensor: str
    partner: str
    model: Any
    readers: list[Any]
    why: str = ""


def lone(scope: Scope) -> Iterator[Lone]:
    """Nodes of a graph whose types prove that the partner is missing."""
    for node in list(scope.body.node):
        if walk.domain_of(node.domain) not in quantized.DOMAINS:
            continue
        if node.op_type == "QuantizeLinear":
            yield from _quantized_twice(scope, node)
            yield from _read_as_float(scope, node)
        elif node.op_type == "DequantizeLinear" and scope.rewrite.element(node.input[0]) in _FLOATS:
            yield Lone(label(node), node.input[0], "QuantizeLinear", node, [node])
    yield from _bare_weights(scope)


def complete(scope: Scope, found: Lone) -> None:
    """Puts the missing node in."""
    from onnx import helper

    written = scope.rewrite.fresh(f"{found.tensor}_{'quantized' if found.partner == PAIR[0] else 'dequantized'}")
    keep = ("axis", "block_size", "saturate") if found.partner == PAIR[0] else ("axis", "block_size")
    made = helper.make_node(
        found.partner, [found.tensor, *list(found.model.input)[1:]], [written], scope.rewrite.fresh(f"{written}_node"),
        domain=found.model.domain,
    )  # fmt: skip
    made.attribute.extend(each for each in found.model.attribute if each.name in keep)
    for reader in found.readers:
        for place, name in enumerate(reader.input):
            if name == found.tensor and (reader.op_type not in PAIR or place == 0):
                reader.input[place] = written
    first = min(_place(scope, reader) for reader in found.readers)
    scope.body.node.insert(first, made)


def _place(scope: Scope, wanted: Any) -> int:
    return next(place for place, node in enumerate(scope.body.node) if node is wanted or node == wanted)


def _quantized_twice(scope: Scope, node: Any) -> Iterator[Lone]:
    """QuantizeLinear that reads bytes: the DequantizeLinear before it is missing."""
    if scope.rewrite.element(node.input[0]) not in _BYTES:
        return
    writer = scope.writer(node.input[0])
    while writer is not None and writer.op_type in MOVES:
        writer = scope.writer(writer.input[0])
    if writer is not None and writer.op_type == "QuantizeLinear":
        yield Lone(label(node), node.input[0], "DequantizeLinear", writer, [node])
    else:
        yield Lone(
            label(node), node.input[0], "DequantizeLinear", node, [node], "nothing tells the scale of what it reads"
        )


def _read_as_float(scope: Scope, node: Any) -> Iterator[Lone]:
    """A tensor of bytes that an operator reads as floats: the DequantizeLinear between them is missing."""
    for tensor in _reached(scope, node.output[0]):
        readers = [
            reader for reader in scope.readers(tensor)
            if not (reader.op_type in MOVES and reader.input[0] == tensor) and _wants_float(scope, reader, tensor)
        ]  # fmt: skip
        if readers:
            yield Lone(label(node), tensor, "DequantizeLinear", node, readers)


def _reached(scope: Scope, name: str) -> Iterator[str]:
    yield name
    for node in scope.readers(name):
        if node.op_type in MOVES and node.input[0] == name:
            for output in node.output:
                yield from _reached(scope, output)


def _wants_float(scope: Scope, reader: Any, tensor: str) -> bool:
    """Whether an operator cannot take these bytes, by its definition or beside its other, float inputs."""
    if reader.op_type in PAIR or walk.domain_of(reader.domain):
        return False
    told = schemas.schema(reader.op_type, scope.opset)
    if told is None:
        return False
    kind = scope.rewrite.word(tensor) or "tensor(uint8)"
    slots = [schemas.allowed(told, place) for place in range(len(reader.input))]
    mine = next((slot for slot, name in zip(slots, reader.input, strict=True) if name == tensor), None)
    if mine is None:
        return False
    if kind not in mine[1]:
        return "tensor(float)" in mine[1]
    beside = [
        name for slot, name in zip(slots, reader.input, strict=True) if slot and slot[0] == mine[0] and name != tensor
    ]
    return any(scope.rewrite.element(name) in _FLOATS for name in beside if name)


def _bare_weights(scope: Scope) -> Iterator[Lone]:
    """Stored bytes that an operator reads as floats, beside a scale that bears their name and that nobody reads."""
    stored = {tensor.name for tensor in getattr(scope.body, "initializer", ())}
    for tensor in getattr(scope.body, "initializer", ()):
        base = tensor.name.removesuffix("_quantized")
        scale, zero = f"{base}_scale", f"{base}_zero_point"
        if base == tensor.name or scale not in stored or tensor.data_type not in (2, 3):
            continue
        readers = [node for node in scope.readers(tensor.name) if _wants_float(scope, node, tensor.name)]
        if readers:
            from onnx import helper

            names = [tensor.name, scale, *([zero] if zero in stored else [])]
            model = helper.make_node("DequantizeLinear", names, [f"{base}_dequantized"])
            count = next(each.dims for each in scope.body.initializer if each.name == scale)
            if len(count) == 1 and count[0] > 1:
                fits = [place for place, size in enumerate(tensor.dims) if size == count[0]]
                if len(fits) != 1:
                    continue
                walk.set_value(model, "axis", fits[0])
            yield Lone(tensor.name, tensor.name, "DequantizeLinear", model, readers)
