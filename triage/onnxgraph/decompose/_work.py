"""What a rewrite sees of a node, and how it writes the nodes that take its place."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import shapes, walk
from triage.onnxgraph.build import Builder

FLOAT, FLOAT16, DOUBLE, BFLOAT16, INT32, INT64 = 1, 10, 11, 16, 6, 7
_HALF = (FLOAT16, BFLOAT16)


class CannotRewrite(Exception):
    """It is not known how to write a form of an operator with others."""


class Work:
    """One node that is to be replaced.

    ``build`` writes new nodes; ``give`` says which of their outputs takes the place of the node's own.
    """

    def __init__(self, model: Any, graph: Any, node: Any, facts: shapes.Facts) -> None:
        self.model = model
        self.node = node
        self.facts = facts
        self.build = Builder(model, graph)
        self.build.base = (node.name or node.op_type) + "/plain"
        self._given: dict[int, str] = {}
        floats = [kind for kind in map(facts.dtype, node.input) if kind in (FLOAT, DOUBLE, *_HALF)]
        self._plain = FLOAT if not floats or floats[0] in _HALF else floats[0]

    @property
    def opset(self) -> int:
        """The model's opset of the standard domain."""
        return self.build.opset

    def input(self, place: int) -> str:
        """Name of an input; empty where it is left out."""
        return str(self.node.input[place]) if len(self.node.input) > place else ""

    def need(self, place: int) -> str:
        """Name of an input that must be there."""
        name = self.input(place)
        if not name:
            raise CannotRewrite(f"its input {place} is missing")
        return name

    def wants(self, place: int) -> bool:
        """Whether the node has that output."""
        return len(self.node.output) > place and bool(self.node.output[place])

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return walk.value_of(self.node, name, default)

    def only(self, **allowed: Any) -> None:
        """Refuses attributes that have another value than these."""
        for name, value in allowed.items():
            given = self.attribute(name, value)
            if given != value:
                raise CannotRewrite(f"its {name} is {given}")

    def without(self, *places: int) -> None:
        """Refuses inputs that are given."""
        for place in places:
            if self.input(place):
                raise CannotRewrite(f"its input {place} ({self.input(place)}) is in use")

    def kind(self, name: str) -> int:
        """Element type; of a tensor that was just written, the one that the node computes in."""
        return self.facts.dtype(name) or self._plain

    def rank(self, name: str) -> int:
        """Number of dimensions.

        Raises:
            CannotRewrite: it is not known.
        """
        found = self.facts.rank(name)
        if found is None:
            raise CannotRewrite(f"the rank of {name} is not known")
        return found

    def size(self, name: str, axis: int) -> int:
        """A dimension that must be known.

        Raises:
            CannotRewrite: it is free or unknown.
        """
        dims = self.facts.dims(name)
        size = dims[axis] if dims is not None and -len(dims) <= axis < len(dims) else None
        if not isinstance(size, int):
            raise CannotRewrite(f"dimension {axis} of {name} is not fixed")
        return size

    def value(self, name: str) -> Any:
        """A value that must be constant.

        Raises:
            CannotRewrite: it is not.
        """
        found = self.facts.value(name)
        if found is None:
            raise CannotRewrite(f"{name} is not constant")
        return found

    def like(self, value: float, name: str) -> str:
        """A scalar constant of the type that a tensor has."""
        import numpy as np
        from onnx import helper

        kind = self.kind(name)
        if kind == BFLOAT16:
            return self.build.add("Cast", self.build.constant(value, np.float32), to=BFLOAT16)
        return self.build.constant(value, helper.tensor_dtype_to_np_dtype(kind))

    def wide(self, name: str) -> str:
        """The tensor in float32 where it is of half precision: kernels add up in float32."""
        if self.kind(name) not in _HALF:
            return name
        return self.build.add("Cast", name, to=FLOAT)

    def back(self, name: str, kind: int) -> str:
        """The other way round: the result in the type that the node gives."""
        return self.build.add("Cast", name, to=kind) if kind in _HALF else name

    def give(self, place: int, name: str) -> None:
        """``name`` takes the place of an output."""
        if self.wants(place):
            self._given[place] = name

    def finish(self) -> list[Any]:
        """The new nodes, with the outputs named as the old node's.

        Raises:
            CannotRewrite: an output that the model has was not given.
        """
        for place, output in enumerate(self.node.output):
            if output and place not in self._given:
                raise CannotRewrite(f"its output {place} ({output}) is in use")
        written = {name for node in self.build.nodes for name in node.output}
        renamed: dict[str, str] = {}
        for place, name in self._given.items():
            output = self.node.output[place]
            if name in written and name not in renamed:
                renamed[name] = output
            else:
                self.build.add("Identity", renamed.get(name, name), outputs=[output])
        for node in self.build.nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    names[place] = renamed.get(name, name)
        return self.build.take()
