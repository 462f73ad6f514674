"""Types, shapes and small values of an ONNX graph's tensors, learnt node by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.onnxgraph import evaluate, order

SMALL = 65536  # elements of a value that is worked out
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}


class Conflict(ValueError):
    """Two shapes or types contradict each other; the text says where."""


class Facts:
    """What is known of the tensors of one graph.

    Args:
        model: for opsets and functions.
        graph: one of its graphs; the main graph if left out.
        outer: what is known of the graph around it.
        sizes: (input, axis) -> size that takes the place of what the file says.
        folder: where external data lies; without it such weights have no value.
    """

    def __init__(
        self,
        model: Any,
        graph: Any = None,
        outer: Facts | None = None,
        sizes: Mapping[tuple[str, int], int] | None = None,
        folder: str | None = None,
    ) -> None:
        self.opsets = {each.domain: each.version for each in model.opset_import}
        self.ir_version = model.ir_version
        self.types: dict[str, Any] = dict(outer.types) if outer else {}
        self.values: dict[str, Any] = dict(outer.values) if outer else {}
        self.folder: str | None = folder or (outer.folder if outer else None)
        graph = graph if graph is not None else model.graph
        declared = {value.name: value.type for value in graph.value_info} | {
            value.name: value.type for value in graph.output
        }
        self.declared: dict[str, Any] = declared | (outer.declared if outer else {})
        for value in graph.input:
            self.types[value.name] = _sized(value, sizes or {})
        for tensor in graph.initializer:
            self.add_tensor(tensor)

    def add_tensor(self, tensor: Any) -> None:
        """Takes note of an initializer."""
        from onnx import helper, numpy_helper

        self.types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        count = 1
        for size in tensor.dims:
            count *= size
        if count <= SMALL and (tensor.data_location != 1 or self.folder):
            try:
                self.values[tensor.name] = numpy_helper.to_array(tensor, self.folder or "")
            except (OSError, ValueError, TypeError):
                return

    def dtype(self, name: str) -> int:
        """ONNX element type of a tensor; 0 where it is unknown."""
        kind = self.types.get(name)
        return int(kind.tensor_type.elem_type) if kind is not None and kind.HasField("tensor_type") else 0

    def dims(self, name: str) -> list[int | str | None] | None:
        """Dimensions: a size, a name, or None where nothing is known; None where not even the rank is."""
        kind = self.types.get(name)
        if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
            return None
        return [_dim(dim) for dim in kind.tensor_type.shape.dim]

    def static(self, name: str) -> list[int] | None:
        """Dimensions where all of them are numbers."""
        dims = self.dims(name)
        return None if dims is None or not all(isinstance(dim, int) for dim in dims) else list(dims)  # type: ignore[arg-type]

    def rank(self, name: str) -> int | None:
        """Number of dimensions."""
        dims = self.dims(name)
        return None if dims is None else len(dims)

    def value(self, name: str) -> Any:
        """The value where it is known whatever is fed, else None."""
        return self.values.get(name)

    def learn(self, node: Any) -> None:
        """Works out types, shapes and, where they are small, values of what a node gives.

        Raises:
            Conflict: its inputs do not fit together.
        """
        self._infer(node)
        self._compute(node)
        for name in node.output:
            if name and name not in self.types and name in self.declared:
                self.types[name] = self.declared[name]

    def _infer(self, node: Any) -> None:
        import onnx
        from onnx import defs, shape_inference

        domain = "" if node.domain == "ai.onnx" else node.domain
        version = self.opsets.get(domain, self.opsets.get("ai.onnx", 1) if not domain else 1)
        try:
            schema = defs.get_schema(node.op_type, version, domain)
        except defs.SchemaError:
            self._ask(node)
            return
        needed = order.reads(node)
        types = {name: self.types[name] for name in needed if name in self.types}
        if any(name not in types for name in node.input if name):
            return
        try:
            self.types |= shape_inference.infer_node_outputs(
                schema, node, types, self._data(needed), None,
                [onnx.helper.make_opsetid(*each) for each in self.opsets.items()], max(self.ir_version, 8),
            )  # fmt: skip
        except shape_inference.InferenceError as fault:
            raise Conflict(" ".join(str(fault).split())[:300]) from None
        except (RuntimeError, ValueError, KeyError, onnx.checker.ValidationError):
            return

    def _ask(self, node: Any) -> None:
        """What ONNX Runtime says that one of its own operators gives."""
        if node.domain != "com.microsoft" or any(self.static(name) is None for name in node.input if name):
            return
        types = {name: self.types[name] for name in node.input if name}
        values = {name: self.values[name] for name in types if name in self.values and _plain(self.values[name])}
        self.types |= evaluate.types_of(node, types, values, self.opsets)

    def _data(self, names: set[str]) -> dict[str, Any]:
        from onnx import numpy_helper

        known = {name: self.values[name] for name in names if name in self.values and _plain(self.values[name])}
        return {name: numpy_helper.from_array(value, name) for name, value in known.items() if value.size <= 1024}

    def _compute(self, node: Any) -> None:
        """Values of small outputs of deterministic nodes."""
        if node.op_type in ("Shape", "Size") and not node.domain:
            self._shape(node)
            return
        if node.op_type == "Constant" and not node.domain:
            self._constant(node)
            return
        named = [name for name in node.input if name]
        if any(name not in self.values for name in named) or node.op_type in _RANDOM or node.domain:
            return
        if any(True for _ in order.subgraphs(node)) or any(self._large(name) for name in node.output if name):
            return
        try:
            given = evaluate.run_node(node, {name: self.values[name] for name in named}, self.opsets)
        except evaluate.CannotRun:
            return
        for name, value in zip([name for name in node.output if name], given, strict=False):
            self._keep(name, value)

    def _keep(self, name: str, value: Any) -> None:
        from onnx import helper

        if not hasattr(value, "dtype") or value.size > SMALL:
            return
        self.values[name] = value
        kind = self.dtype(name) or helper.np_dtype_to_tensor_dtype(value.dtype)
        self.types[name] = helper.make_tensor_type_proto(kind, list(value.shape))

    def _shape(self, node: Any) -> None:
        import numpy as np

        dims = self.static(node.input[0])
        if dims is None:
            return
        if node.op_type == "Size":
            self._keep(node.output[0], np.asarray(int(np.prod(dims, dtype=np.int64)), np.int64))
            return
        told = {attribute.name: attribute.i for attribute in node.attribute}
        self._keep(node.output[0], np.asarray(dims[told.get("start", 0) : told.get("end")], np.int64))

    def _constant(self, node: Any) -> None:
        value = constant_value(node)
        if value is not None:
            self._keep(node.output[0], value)

    def _large(self, name: str) -> bool:
        dims = self.static(name)
        count = 1
        for size in dims or ():
            count *= size
        return count > SMALL


def constant_value(node: Any) -> Any:
    """The array of a Constant node; None where it is sparse or kept elsewhere."""
    import numpy as np
    from onnx import numpy_helper

    for attribute in node.attribute:
        if attribute.name == "value":
            return numpy_helper.to_array(attribute.t) if attribute.t.data_location != 1 else None
        if attribute.name == "value_int":
            return np.asarray(attribute.i, np.int64)
        if attribute.name == "value_float":
            return np.asarray(attribute.f, np.float32)
        if attribute.name == "value_ints":
            return np.asarray(attribute.ints, np.int64)
        if attribute.name == "value_floats":
            return np.asarray(attribute.floats, np.float32)
    return None


def fixed_names(model: Any, graph: Any) -> set[str]:
    """Initializers that no one can feed: from IR version 4 on, those that are no inputs."""
    names = {tensor.name for tensor in graph.initializer}
    return names if model.ir_version < 4 else names - {value.name for value in graph.input}


def _plain(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind in "biuf"


def _dim(dim: Any) -> int | str | None:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) if dim.dim_param else None


def _sized(value: Any, sizes: Mapping[tuple[str, int], int]) -> Any:
    kind = type(value.type)()
    kind.CopyFrom(value.type)
    for axis, dim in enumerate(kind.tensor_type.shape.dim):
        if (value.name, axis) in sizes:
            dim.dim_value = sizes[value.name, axis]
    return kind
