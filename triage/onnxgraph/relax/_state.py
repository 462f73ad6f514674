"""The graph while it is played through: what is known of each tensor in every case, and the nodes written so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triage.onnxgraph import shapes
from triage.onnxgraph.build import Builder
from triage.onnxgraph.factors import Dim, Symbol, at, free, number


class Baked(Exception):
    """A size is part of the graph in a way that cannot be made to follow."""


class NeedsInput(Exception):
    """Another input has the same dimension fixed and must be freed too."""

    def __init__(self, name: str, axis: int, size: int) -> None:
        super().__init__(name, axis)
        self.input, self.axis, self.size = name, axis, size


class State:
    """What is known, and what was written."""

    def __init__(
        self,
        model: Any,
        known: Sequence[shapes.Facts],
        symbols: Mapping[tuple[str, int], Symbol],
        strategy: int,
        folder: str | None,
    ) -> None:
        self.model = model
        self.known = known
        self.symbols = symbols
        self.strategy = strategy
        self.build = Builder(model)
        self.build.base = "relaxed"
        self.written: list[Any] = []
        self.producers: dict[str, Any] = {}
        self.layouts: dict[str, Sequence[Dim] | None] = {}
        self.told: dict[str, Sequence[Dim]] = {}  # what a handler knows of an output's layout
        self.mended: list[str] = []
        self.rebuilt: dict[tuple[str, int, Dim], str] = {}
        self._folder = folder
        self._sizes: dict[Symbol, str] = {}
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._noted = len(model.graph.initializer)
        self._inputs = {value.name for value in model.graph.input} - self._stored.keys()
        for value in model.graph.input:
            self._derive(value.name, ())
        for name in self._stored:
            self._derive(name, ())
        for (name, axis), symbol in symbols.items():
            layout = list(self.layouts.get(name) or ())
            if axis < len(layout):
                layout[axis] = (symbol,)
                self.layouts[name] = layout

    @property
    def cases(self) -> int:
        """How many sizes are played through at once."""
        return len(self.known)

    def is_input(self, name: str) -> bool:
        """Whether it is fed."""
        return name in self._inputs

    def dims(self, name: str) -> Sequence[Dim] | None:
        """How a tensor's dimensions follow from the inputs."""
        return self.layouts.get(name)

    def values(self, name: str) -> list[Any] | None:
        """A tensor's value in every case; None where one of them is unknown."""
        found = [facts.value(name) for facts in self.known]
        return None if any(value is None for value in found) else found

    def constant(self, name: str) -> Any:
        """The value of a tensor that is the same in every case, large ones included; None where it is not."""
        import numpy as np
        from onnx import numpy_helper

        found = self.values(name)
        if found is not None:
            return found[0] if all(np.array_equal(found[0], other) for other in found[1:]) else None
        tensor = self._stored.get(name)
        if tensor is not None:
            return numpy_helper.to_array(tensor, self._folder or "")
        node = self.producers.get(name)
        return shapes.constant_value(node) if node is not None and node.op_type == "Constant" else None

    def same_size(self, left: Dim, right: Dim) -> bool:
        """Whether two dimensions are equal in every case."""
        return self._vector(left) == self._vector(right)

    def size_of(self, dim: Dim) -> str:
        """A dimension at run time, as an int64 tensor with one element."""
        pieces = [self._symbol(factor) if isinstance(factor, Symbol) else self.const([factor]) for factor in dim]
        if not pieces:
            return self.const([1])
        name = pieces[0]
        for piece in pieces[1:]:
            name = self.build.add("Mul", name, piece)
        self.flush()
        return name

    def const(self, values: Any, dtype: str = "int64") -> str:
        """A new constant of which everything is known at once."""
        name = self.build.constant(values, dtype)
        self._note_constants()
        return name

    def flush(self) -> None:
        """Takes note of the helper nodes made since the last time."""
        for node in self.build.take():
            self.write(node)

    def write(self, node: Any) -> None:
        """Takes note of a node, whatever stands before it being written already."""
        from triage.onnxgraph.naming import label

        self._note_constants()
        for facts in self.known:
            try:
                facts.learn(node)
            except shapes.Conflict as fault:
                raise Baked(f"{label(node)}: {fault}") from None
        self.written.append(node)
        for name in node.output:
            if name:
                self.producers[name] = node
                self._derive(name, node.input)

    def _note_constants(self) -> None:
        for tensor in self.model.graph.initializer[self._noted :]:
            self._noted += 1
            self._stored[tensor.name] = tensor
            for facts in self.known:
                facts.add_tensor(tensor)
            self._derive(tensor.name, ())

    def _symbol(self, symbol: Symbol) -> str:
        if symbol not in self._sizes:
            kind, what, extra = symbol.source
            if kind == "dim":
                shape = self.build.add("Shape", str(what))
                self._sizes[symbol] = self.build.add("Gather", shape, self.const([extra]), axis=0)
            else:
                assert isinstance(what, Symbol)  # noqa: S101 -- the only other kind
                whole = self._symbol(what)
                self._sizes[symbol] = self.build.add("Div", whole, self.const([extra]))
            self.flush()
        return self._sizes[symbol]

    def _derive(self, name: str, inputs: Sequence[str]) -> None:
        """Works out how a tensor's dimensions follow from those of what it is made of."""
        found = [facts.static(name) for facts in self.known]
        first = found[0]
        if first is None or any(each is None or len(each) != len(first) for each in found):
            self.layouts[name] = None
            return
        sizes = [tuple(each[axis] for each in found if each is not None) for axis in range(len(first))]
        told = self.told.get(name)
        if told is not None and [self._vector(dim) for dim in told] == sizes:
            self.layouts[name] = list(told)
            return
        self.layouts[name] = [self._match(name, axis, size, inputs, len(sizes)) for axis, size in enumerate(sizes)]

    def _match(self, name: str, axis: int, size: tuple[int, ...], inputs: Sequence[str], rank: int) -> Dim:
        layouts = [layout for layout in (self.layouts.get(each) for each in inputs) if layout]
        ordered = [layout[axis] for layout in layouts if len(layout) == rank]
        ordered += [layout[axis - rank] for layout in layouts if len(layout) >= rank - axis]
        ordered += [dim for layout in layouts for dim in layout]
        for dim in ordered:
            if free(dim) and self._vector(dim) == size:
                return dim
        if len(set(size)) == 1:
            return number(size[0])
        return (Symbol(f"{name}_{axis}", size, ("dim", name, axis)),)

    def _vector(self, dim: Dim) -> tuple[int, ...]:
        return tuple(at(dim, case) for case in range(self.cases))
