"""Writes new ONNX nodes: fresh names, constants as initializers, and the spelling that the model's opset wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triage.onnxgraph import naming, walk

_AXES_AS_INPUT = {"Squeeze": 13, "Unsqueeze": 13, "ReduceSum": 13} | dict.fromkeys(
    (f"Reduce{kind}" for kind in ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")), 18
)


class Builder:
    """Collects nodes and constants that are to stand in one graph of a model.

    Args:
        model: whose opset and names hold.
        graph: which of its graphs takes the constants; the main one if left out.
    """

    def __init__(self, model: Any, graph: Any = None) -> None:
        self.opset = walk.version_of(model.opset_import) or 1
        self.nodes: list[Any] = []
        self.base = "triage"
        self._graph = graph if graph is not None else model.graph
        self._taken = walk.names(model) | naming.node_names(model)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def fresh(self, hint: str) -> str:
        """A free name that tells where it comes from."""
        return naming.fresh(f"{self.base}/{hint}", self._taken)

    def constant(self, value: Any, dtype: Any = None) -> str:
        """An initializer with this value; the same value is stored once."""
        import numpy as np
        from onnx import numpy_helper

        array = np.asarray(value, dtype=dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.fresh("constant")
            self._graph.initializer.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A 1-D int64 initializer."""
        return self.constant(list(values), "int64")

    def add(self, op: str, *inputs: str, outputs: Sequence[str] = (), domain: str = "", **attributes: Any) -> str:
        """Appends a node and gives the name of its first output; attributes that are None are left out."""
        from onnx import helper

        given = list(outputs) or [self.fresh(op)]
        told = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(op, list(inputs), given, self.fresh(op), domain=domain or None, **told)
        self.nodes.append(node)
        return given[0]

    def over(self, op: str, data: str, axes: Sequence[int], output: str = "", **attributes: Any) -> str:
        """A node that takes axes, as an input or as an attribute, whichever this opset has (Squeeze, ReduceMean …)."""
        outputs = [output] if output else ()
        if self.opset >= _AXES_AS_INPUT[op]:
            return self.add(op, data, self.ints(*axes), outputs=outputs, **attributes)
        return self.add(op, data, outputs=outputs, axes=list(axes), **attributes)

    def slice(self, data: str, starts: str, ends: str, axis: int, output: str = "") -> str:
        """A slice along one axis; from opset 10 on."""
        return self.add("Slice", data, starts, ends, self.ints(axis), outputs=[output] if output else ())

    def reshape(self, data: str, target: Sequence[int], output: str = "") -> str:
        """A reshape to a fixed target (0 keeps, -1 is worked out)."""
        return self.add("Reshape", data, self.ints(*target), outputs=[output] if output else ())

    def size(self, data: str, axis: int) -> str:
        """One dimension of a tensor, as an int64 tensor with one element."""
        return self.add("Gather", self.add("Shape", data), self.ints(axis), axis=0)

    def split(self, data: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Parts of given sizes along an axis."""
        parts = [self.fresh("Split") for _ in sizes]
        if self.opset >= 13:
            self.add("Split", data, self.ints(*sizes), outputs=parts, axis=axis)
        else:
            self.add("Split", data, outputs=parts, axis=axis, split=list(sizes))
        return parts

    def take(self) -> list[Any]:
        """The nodes collected so far; the next ones start a new list."""
        nodes, self.nodes = self.nodes, []
        return nodes
