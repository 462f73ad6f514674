"""A graph or function that is being rewritten node by node: its constants, types and new names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from triage.onnxgraph import types, walk

_LARGEST_EXTERNAL = 1 << 20  # values that are read from an external file


class Cannot(Exception):
    """A node has no form of the same meaning at the opset that is wanted."""


class Never(Cannot):
    """The same, and the operator's own definition is no way out either."""


class Names:
    """Names that are free in a model."""

    def __init__(self, model: Any) -> None:
        self._taken = walk.names(model)

    def fresh(self, hint: str) -> str:
        """A name that nothing has, close to the hint."""
        name, number = hint, 1
        while name in self._taken:
            number += 1
            name = f"{hint}_{number}"
        self._taken.add(name)
        return name


class Rewrite:
    """What the rules of a rewrite see of the graph or function a node stands in, and how they make nodes.

    ``made`` collects the nodes that a rule makes, in order.
    """

    def __init__(
        self, body: Any, names: Names, known: dict[str, Any], parent: Rewrite | None = None, *,
        fixed: bool = False, folder: str = "",
    ) -> None:  # fmt: skip
        """Starts with what the body holds.

        ``fixed``: initializers that are inputs too are constants (IR below 4). ``folder``: of external data.
        """
        self.made: list[Any] = []
        self.freed: set[str] = set()
        self._fixed = fixed
        self._folder = folder
        self._names = names
        self._types = known
        self._parent = parent
        self._values: dict[str, Any] = dict(_stored(body, fixed=fixed))

    def inner(self, body: Any) -> Rewrite:
        """The same for a graph nested in this one."""
        return Rewrite(body, self._names, self._types, self, fixed=self._fixed, folder=self._folder)

    def const(self, name: str) -> Any:
        """The value of a constant tensor as an array; None where it is not constant or not at hand."""
        if name in self._values:
            return _array(self._values[name], self._folder)
        return self._parent.const(name) if self._parent else None

    def learn(self, node: Any) -> None:
        """Takes note of a node that writes a constant."""
        self._values.update(_constant(node))

    def note(self, name: str, tensor: Any) -> None:
        """Takes note of a constant that was put into the body."""
        self._values[name] = tensor
        self._types[name] = types.type_of(tensor)

    def infer(self, nodes: Sequence[Any], opset: int, given: Sequence[str]) -> None:
        """Takes note of the types that nodes write, as far as their inputs' types are known."""
        import onnx

        inputs = [onnx.ValueInfoProto(name=name, type=self._types[name]) for name in given if name in self._types]
        graph = onnx.GraphProto(name="body", node=list(nodes), input=inputs)
        self._types.update(
            types.inferred(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)]))
        )

    def element(self, name: str) -> int | None:
        """The element type of a tensor, as far as known."""
        return types.element(self._types.get(name))

    def sizes(self, name: str) -> list[int | None] | None:
        """The dimensions of a tensor, as far as known."""
        known = self._types.get(name)
        return types.sizes(known) if known is not None else None

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor, as far as known."""
        found = self.sizes(name)
        return None if found is None else len(found)

    def type_of(self, name: str) -> Any:
        """The TypeProto of a tensor; None where it is not known."""
        return self._types.get(name)

    def word(self, name: str) -> str | None:
        """The type of a tensor as definitions write it; None where it is not known."""
        return types.word(self._types.get(name))

    def fresh(self, hint: str) -> str:
        """A free name."""
        return self._names.fresh(hint)

    def constant(self, values: Any, hint: str) -> str:
        """Makes a constant; gives its name."""
        from onnx import helper, numpy_helper

        name = self.fresh(hint)
        node = helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))
        self.learn(node)
        self.made.append(node)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Makes a node of one output; gives the output's name."""
        from onnx import helper

        name = output or self.fresh(f"{inputs[0]}_{op}")
        self.made.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def keep(self, node: Any) -> None:
        """Puts a node, changed or not, into the result."""
        self.made.append(node)

    def take(self) -> list[Any]:
        """What was made since the last time."""
        made, self.made = self.made, []
        return made

    def drop_input(self, node: Any, place: int) -> None:
        """Takes an input away; what nobody reads any more is removed in the end."""
        self.freed.add(node.input[place])
        node.input[place] = ""
        while node.input and not node.input[-1]:
            del node.input[-1]

    def needed(self, node: Any, place: int, what: str) -> Any:
        """The constant value of an input.

        Raises:
            Cannot: it is computed at run time, or its value is not in the file.
        """
        name = node.input[place]
        value = self.const(name)
        if value is None:
            raise Cannot(f"{label(node)}: {what} is no constant")
        return value


def label(node: Any) -> str:
    """A node as people find it."""
    return f"{node.op_type} {node.name or (node.output[0] if node.output else '')}".strip()


def prune(body: Any, freed: set[str]) -> None:
    """Removes constants that a rewrite no longer needs and nobody reads."""
    from triage.onnxgraph.order import reads

    used = {name for node in body.node for name in reads(node)}
    used |= {value if isinstance(value, str) else value.name for value in body.output}
    dead = freed - used
    for node in [node for node in body.node if node.op_type == "Constant" and set(node.output) <= dead]:
        body.node.remove(node)
    if hasattr(body, "initializer"):
        given = {value.name for value in body.input}
        for tensor in [tensor for tensor in body.initializer if tensor.name in dead - given]:
            body.initializer.remove(tensor)


def _array(tensor: Any, folder: str) -> Any:
    """The values of a tensor; of an external one only where it is small and its file is there."""
    from onnx import numpy_helper

    if tensor is None:
        return None
    if tensor.data_location != tensor.EXTERNAL:
        return numpy_helper.to_array(tensor)
    if not folder or math.prod(tensor.dims) > _LARGEST_EXTERNAL:
        return None
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    try:
        return numpy_helper.to_array(copy, folder)
    except Exception:  # noqa: BLE001 -- a missing, short or forbidden file; onnx raises several kinds
        return None


def _stored(body: Any, *, fixed: bool) -> list[tuple[str, Any]]:
    """Constants of a body; an initializer that a caller may replace through an input of its name is none."""
    found: list[tuple[str, Any]] = []
    if hasattr(body, "initializer"):
        given = {value.name for value in body.input}
        found += [(name, None) for name in given]
        found += [(tensor.name, tensor) for tensor in body.initializer if fixed or tensor.name not in given]
    else:
        found += [(name, None) for name in body.input]
    for node in body.node:
        found += [(name, None) for name in node.output]
        found += _constant(node)
    return found


def _constant(node: Any) -> list[tuple[str, Any]]:
    import numpy as np
    from onnx import numpy_helper

    if node.op_type != "Constant" or walk.domain_of(node.domain) or len(node.output) != 1:
        return []
    tensor = walk.value_of(node, "value")
    if tensor is None:
        for key, kind in (("value_float", "f4"), ("value_floats", "f4"), ("value_int", "i8"), ("value_ints", "i8")):
            value = walk.value_of(node, key)
            if value is not None:
                tensor = numpy_helper.from_array(np.array(value, kind))
    return [(node.output[0], tensor)] if tensor is not None else []
