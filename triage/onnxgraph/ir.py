"""The IR version of a model: what it holds that an older one does not know, and lowering it."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import versions, walk

# first IR version of element types, by their names in TensorProto.DataType
_TYPES = {
    "BFLOAT16": 4, "FLOAT8E4M3FN": 9, "FLOAT8E4M3FNUZ": 9, "FLOAT8E5M2": 9, "FLOAT8E5M2FNUZ": 9, "UINT4": 10,
    "INT4": 10, "FLOAT4E2M1": 11, "FLOAT8E8M0": 12, "UINT2": 13, "INT2": 13, "FLOAT6E2M3": 14, "FLOAT6E3M2": 14,
}  # fmt: skip
_SPARSE, _FUNCTIONS, _OPTIONAL, _FREE_INITIALIZERS = 6, 8, 8, 4


def needs(model: Any) -> list[tuple[int, str]]:
    """(IR version, what needs it): what of the model cannot be said in an older one, the newest first."""
    found = {(first, f"the type {name}") for name, first in _element_types(model)}
    if any(graph.sparse_initializer for graph in walk.graphs(model)):
        found.add((_SPARSE, "sparse initializers"))
    if any(value.type.WhichOneof("value") in ("optional_type", "sparse_tensor_type") for value in _values(model)):
        found.add((_OPTIONAL, "optional or sparse values"))
    return sorted(found, reverse=True)


def lower(model: Any, target: int) -> None:
    """Sets an older IR version, with what that entails, in place.

    Raises:
        ValueError: something in the model does not exist there.
    """
    missing = [what for first, what in needs(model) if first > target]
    if missing:
        raise ValueError(f"{', '.join(missing[:3])} cannot be said in IR version {target}")
    if model.functions and target < _FUNCTIONS:
        versions.inline_functions(model)
    if target < _FREE_INITIALIZERS:
        _give_as_inputs(model.graph)
    _drop_hints(model, target)
    model.ir_version = target


def _give_as_inputs(graph: Any) -> None:
    """Below IR 4 every initializer is an input too."""
    import onnx

    given = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name not in given:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))


def _drop_hints(model: Any, target: int) -> None:
    """Where to run a node is a hint that never changes its result."""
    if target < 11:
        for holder, field in [
            (model, "configuration"),
            *((node, "device_configurations") for node in walk.nodes(model)),
        ]:
            if field in holder.DESCRIPTOR.fields_by_name:
                holder.ClearField(field)


def _element_types(model: Any) -> list[tuple[str, int]]:
    import onnx

    names = onnx.TensorProto.DataType.items()
    used = {tensor.data_type for tensor in walk.tensors(model)}
    used |= {value.type.tensor_type.elem_type for value in _values(model)}
    used |= {walk.value_of(node, "to") for node in walk.nodes(model) if node.op_type == "Cast"}
    used |= {walk.value_of(node, "output_dtype") for node in walk.nodes(model) if node.op_type == "QuantizeLinear"}
    return [(name, _TYPES[name]) for name, number in names if number in used and name in _TYPES]


def _values(model: Any) -> list[Any]:
    return [
        value for graph in walk.graphs(model) for values in (graph.input, graph.output, graph.value_info)
        for value in values
    ]  # fmt: skip
