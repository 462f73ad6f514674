"""A model in another element type throughout: every tensor, attribute and declaration of one type becomes another."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from triage.onnxgraph import elements, recast, walk
from triage.onnxgraph.flow import plain

_TYPED = ("to", "dtype", "output_dtype", "output_datatype", "stash_type")


def holds(model: Any, element: int) -> bool:
    """Says whether any tensor of the main graph or of graphs in it has this type."""
    scopes = plain(model).scopes.values()
    return any(element in scope.types.values() for scope in scopes)


def first_loss(model: Any, source: int, target: int, folder: str) -> str | None:
    """The first stored tensor that would lose its meaning, and how; None where all keep it."""
    for tensor in walk.tensors(model):
        if tensor.data_type == source:
            why = elements.loss(recast.array(tensor, folder), target)
            if why:
                return f"{tensor.name or 'a constant'}: {why}"
    return None


def narrow(model: Any, source: int, target: int, folder: str, keep: Collection[str] = ()) -> None:
    """Replaces one element type by another.

    Args:
        model: is changed in place.
        source: the type to replace.
        target: the type to put there.
        folder: where external data lie; what is converted moves into the model.
        keep: inputs and outputs of the main graph that stay as they are; a Cast joins them to the rest.
    """
    for tensor in walk.tensors(model):
        if tensor.data_type == source:
            recast.recast_tensor(tensor, target, folder)
    for node in walk.nodes(model):
        for attribute in node.attribute:
            if attribute.name in _TYPED and attribute.i == source:
                attribute.i = target
    for body in walk.bodies(model):
        for value in _values(body):
            _redeclare(value.type, source, target)
    for value in list(model.graph.input):
        if value.name in keep and value.type.tensor_type.elem_type == target:
            recast.accept(model, value.name, source)
    for value in list(model.graph.output):
        if value.name in keep and value.type.tensor_type.elem_type == target:
            recast.give(model, value.name, source)


def _values(body: Any) -> list[Any]:
    if hasattr(body, "initializer"):
        return [*body.input, *body.output, *body.value_info]
    return list(getattr(body, "value_info", ()))


def _redeclare(type_: Any, source: int, target: int) -> None:
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        inner = getattr(type_, kind)
        if inner.elem_type == source:
            inner.elem_type = target
    elif kind in ("sequence_type", "optional_type"):
        _redeclare(getattr(type_, kind).elem_type, source, target)
