"""What an ONNX file says of its tensors' types and shapes, against what its nodes give."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import shapes


def wrong(model: Any, folder: str | None = None) -> dict[str, str]:
    """Tensor -> how its declaration contradicts the node that writes it; of outputs the shape only."""
    facts = _worked_out(model, folder)
    if facts is None:
        return {}
    outputs = {value.name for value in model.graph.output}
    found = {}
    for value in (*model.graph.value_info, *model.graph.output):
        told, real = value.type, facts.types.get(value.name)
        if real is None or not told.HasField("tensor_type") or not real.HasField("tensor_type"):
            continue
        if value.name not in outputs and told.tensor_type.elem_type not in (0, real.tensor_type.elem_type):
            found[value.name] = "another element type"
        dims = facts.dims(value.name)
        if dims is not None and told.tensor_type.HasField("shape"):
            why = _differs(told.tensor_type.shape.dim, dims)
            if why:
                found[value.name] = why
    return found


def missing(model: Any) -> int:
    """How many tensors in between the file tells nothing of."""
    told = {value.name for value in (*model.graph.value_info, *model.graph.output)}
    return sum(1 for node in model.graph.node for name in node.output if name and name not in told)


def correct(model: Any, folder: str | None = None) -> None:
    """Drops wrong declarations of tensors in between, gives outputs the shape that they have."""
    bad = wrong(model, folder)
    facts = _worked_out(model, folder)
    kept = [value for value in model.graph.value_info if value.name not in bad]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    for value in model.graph.output:
        if value.name in bad and facts is not None:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for dim in facts.dims(value.name) or []:
                added = shape.dim.add()
                if isinstance(dim, int):
                    added.dim_value = dim
                elif dim:
                    added.dim_param = dim


def store(model: Any) -> None:
    """Runs shape inference and keeps what it finds."""
    import onnx

    found = onnx.shape_inference.infer_shapes(model, data_prop=True)
    del model.graph.value_info[:]
    model.graph.value_info.extend(found.graph.value_info)


def _worked_out(model: Any, folder: str | None) -> shapes.Facts | None:
    """Types and shapes as the nodes give them; None where the nodes contradict each other."""
    bare = type(model)()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in bare.graph.output:
        value.type.Clear()
    facts = shapes.Facts(bare, folder=folder)
    for node in model.graph.node:
        try:
            facts.learn(node)
        except shapes.Conflict:
            return None
    return facts


def _differs(told: Any, real: list[int | str | None]) -> str | None:
    if len(told) != len(real):
        return f"{len(told)} dimensions where it has {len(real)}"
    for axis, (dim, size) in enumerate(zip(told, real, strict=True)):
        if dim.HasField("dim_value") and isinstance(size, int) and dim.dim_value != size:
            return f"{dim.dim_value} in dimension {axis} where it has {size}"
    return None
