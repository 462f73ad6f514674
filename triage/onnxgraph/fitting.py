"""Whether a graph can be as it stands: every node takes its inputs, by type and shape."""

from __future__ import annotations

from typing import Any

_LARGE = 1 << 16  # bytes from which on a tensor's values are left out; shapes are never that long


def fits(model: Any) -> bool:
    """Says whether ONNX's own inference finds no contradiction; stored types and shapes inside are not asked."""
    import onnx

    slim = type(model)(ir_version=model.ir_version)
    slim.opset_import.extend(model.opset_import)
    slim.functions.extend(model.functions)
    slim.graph.CopyFrom(_light(model.graph))
    try:
        onnx.shape_inference.infer_shapes(slim, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError, TypeError):
        return False
    return True


def _light(graph: Any) -> Any:
    """The graph without large values and without what is stored about tensors inside."""
    copy = type(graph)(name=graph.name)
    for field in ("node", "input", "output", "sparse_initializer"):
        getattr(copy, field).extend(getattr(graph, field))
    for tensor in graph.initializer:
        if tensor.ByteSize() < _LARGE:
            copy.initializer.append(tensor)
            continue
        kept = copy.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=list(tensor.dims))
        kept.data_location = 1
        kept.external_data.add(key="location", value="left out")
    return copy
