"""What a model declares of its tensors against what its nodes make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import elements, types, walk
from triage.onnxgraph.flow import Walk, declared_type, plain
from triage.onnxgraph.liveness import discard


class Stale(NamedTuple):
    """A declaration that is not true.

    ``kind`` is type, shape or missing; ``value`` the ValueInfoProto; ``truth`` its right TypeProto (None: only
    to be forgotten); ``told`` says it in words.
    """

    kind: str
    graph: Any
    value: Any
    truth: Any
    told: str


def find(model: Any) -> list[Stale]:
    """Every declaration that contradicts what certainly is; the model is not changed."""
    known = plain(model)
    found = list(_stored(model))
    if not (known.unsettled or known.casts or known.ends):
        found += _elements(known)
    seen = {id(each.value) for each in found}
    return found + [each for each in _shapes(model) if id(each.value) not in seen]


def correct(found: list[Stale]) -> None:
    """Puts the right types into inputs and outputs, and forgets wrong ones inside."""
    for each in found:
        if each.truth is None:
            discard(each.graph.value_info, [each.value])
        else:
            each.value.type.CopyFrom(each.truth)


def _stored(model: Any) -> Iterator[Stale]:
    """Inputs that are declared otherwise than the initializer that is their default."""
    for graph in walk.graphs(model):
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info):
            tensor = tensors.get(value.name)
            if tensor is None or not value.type.HasField("tensor_type"):
                continue
            truth = _tensor_type(tensor.data_type, list(tensor.dims))
            same_type = declared_type(value) in (None, tensor.data_type)
            if not same_type or _contradict(value.type, truth):
                told = f"{value.name} is stored as {elements.name(tensor.data_type)}{list(tensor.dims)}"
                inside = any(value is each for each in graph.value_info)
                yield Stale("shape" if same_type else "type", graph, value, None if inside else truth, told)


def _elements(known: Walk) -> Iterator[Stale]:
    """Wrong element types of outputs, of what bodies take and give, and of tensors inside."""
    for graph, value, have, _ in known.declared:
        truth = type(value.type)()
        truth.CopyFrom(value.type)
        truth.tensor_type.elem_type = have
        told = f"{value.name} is declared as {elements.name(declared_type(value) or 0)}, but is {elements.name(have)}"
        yield Stale("type", graph, value, truth, told)
    for scope in known.scopes.values():
        for value in scope.graph.value_info:
            real = scope.types.get(value.name)
            if real and declared_type(value) not in (None, real) and value.name not in scope.constants:
                yield Stale("type", scope.graph, value, None, f"{value.name} is {elements.name(real)}")


def _shapes(model: Any) -> Iterator[Stale]:
    """Wrong shapes of outputs and of tensors inside, and outputs without a type."""
    inferred = types.inferred(_bare(model))
    for value in model.graph.output:
        truth = inferred.get(value.name)
        if declared_type(value) is None and types.element(truth) and not value.type.WhichOneof("value"):
            yield Stale("missing", model.graph, value, truth, f"the output {value.name} has no type")
        elif types.sizes(truth) is not None and not value.type.tensor_type.HasField("shape"):
            yield Stale("missing", model.graph, value, truth, f"the output {value.name} has no shape")
        elif _contradict(value.type, truth):
            told = f"the output {value.name} is declared as {_text(value.type)}, but is {_text(truth)}"
            yield Stale("shape", model.graph, value, _joined(value.type, truth), told)
    for graph in walk.graphs(model):
        for value in graph.value_info:
            if _contradict(value.type, inferred.get(value.name)):
                told = f"{value.name} is declared as {_text(value.type)}, but is {_text(inferred[value.name])}"
                yield Stale("shape", graph, value, None, told)


def _bare(model: Any) -> Any:
    """A copy that declares nothing but its inputs and the types of its outputs."""
    copy = type(model)()
    copy.CopyFrom(model)
    for graph in walk.graphs(copy):
        del graph.value_info[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return copy


def _contradict(told: Any, truth: Any) -> bool:
    """Says whether two shapes cannot both be right: another rank, or another fixed size."""
    first, second = types.sizes(told), types.sizes(truth)
    if first is None or second is None:
        return False
    return len(first) != len(second) or any(a and b and a != b for a, b in zip(first, second, strict=True))


def _joined(told: Any, truth: Any) -> Any:
    """The right type, with the names of sizes that were declared."""
    found = type(truth)()
    found.CopyFrom(truth)
    dims, old = found.tensor_type.shape.dim, told.tensor_type.shape.dim
    for dim, before in zip(dims, old, strict=False) if len(dims) == len(old) else ():
        if not dim.HasField("dim_value") and before.dim_param:
            dim.dim_param = before.dim_param
    return found


def _tensor_type(element: int, sizes: list[int]) -> Any:
    from onnx import helper

    return helper.make_tensor_type_proto(element, sizes)


def _text(type_: Any) -> str:
    dims = type_.tensor_type.shape.dim
    return f"[{', '.join(str(dim.dim_value) if dim.HasField('dim_value') else dim.dim_param or '?' for dim in dims)}]"
