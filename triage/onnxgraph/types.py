"""Element types and shapes of the tensors of a model, as far as shape inference finds them."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import walk


def inferred(model: Any) -> dict[str, Any]:
    """Name of a tensor -> its TypeProto, in every graph of the model; functions are left out.

    A name that two graphs use with different types is left out.
    """
    found: dict[str, Any] = {}
    clashing = set()
    for graph in walk.graphs(_with_shapes(model)):
        told = [(value.name, value.type) for values in _values(graph) for value in values]
        told += [(tensor.name, type_of(tensor)) for tensor in graph.initializer]
        for name, type_ in told:
            if type_.WhichOneof("value") is None:
                continue
            known = found.setdefault(name, type_)
            if element(known) != element(type_):
                clashing.add(name)
    return {name: type_ for name, type_ in found.items() if name not in clashing}


def element(type_: Any) -> int | None:
    """The element type of a tensor's type; None where it is none or unknown."""
    kind = type_.WhichOneof("value") if type_ is not None else None
    return type_.tensor_type.elem_type or None if kind == "tensor_type" else None


def sizes(type_: Any) -> list[int | None] | None:
    """The dimensions of a tensor's type, None for each unknown one; None where the rank is unknown."""
    if element(type_) is None or not type_.tensor_type.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in type_.tensor_type.shape.dim]


def word(type_: Any) -> str | None:
    """The type as operator definitions write it, such as ``tensor(float)``; None for other than tensors."""
    import onnx

    number = element(type_)
    if number is None:
        return None
    name = onnx.TensorProto.DataType.Name(number).lower()
    return f"tensor({name})"


def _values(graph: Any) -> tuple[Any, Any, Any]:
    return graph.input, graph.value_info, graph.output


def type_of(tensor: Any) -> Any:
    """The TypeProto of a stored tensor."""
    import onnx

    return onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))


def _with_shapes(model: Any) -> Any:
    """The model after shape inference, without its large weights; as it is where inference fails."""
    import onnx

    slim = light_copy(model)
    try:
        return onnx.shape_inference.infer_shapes(slim, data_prop=True)
    except Exception:  # noqa: BLE001 -- onnx raises several kinds, and a broken model may still be mended
        return slim


def light_copy(model: Any) -> Any:
    """A copy in which large initializers only have a type; they are never copied."""
    import onnx

    slim = onnx.ModelProto(ir_version=model.ir_version)
    slim.opset_import.extend(model.opset_import)
    slim.functions.extend(model.functions)
    slim.graph.name = model.graph.name
    for field in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(slim.graph, field).extend(getattr(model.graph, field))
    slim.graph.initializer.extend(_light(tensor) for tensor in model.graph.initializer)
    return slim


def _light(tensor: Any) -> Any:
    import onnx

    if tensor.ByteSize() <= 1 << 16:
        return tensor
    kept = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=list(tensor.dims))
    kept.data_location = onnx.TensorProto.EXTERNAL
    kept.external_data.add(key="location", value="unread")
    return kept
