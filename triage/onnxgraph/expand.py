"""A node replaced by the simpler operators that its definition in the ONNX standard is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triage.onnxgraph import schemas, walk
from triage.onnxgraph.order import subgraphs
from triage.onnxgraph.rewrite import Cannot, Rewrite, label


def expand(rewrite: Rewrite, node: Any, version: int, target: int) -> tuple[list[Any], int]:
    """Nodes that compute the same, and the opset that they are written in.

    Args:
        rewrite: where the node stands.
        node: it.
        version: the opset at which it has its meaning.
        target: the opset that is wanted; a body written for it or below is preferred.

    Raises:
        Cannot: the standard gives the operator no such body, or the types that decide on it are unknown.
    """
    told = schemas.schema(node.op_type, version)
    if told is None or not (told.has_function or told.has_context_dependent_function):
        raise Cannot(f"{label(node)}: the standard has no simpler operators for {node.op_type}")
    written = told.function_opset_versions or told.context_dependent_function_opset_versions
    opset = max([each for each in written if each <= target], default=min(written))
    body = _body(rewrite, node, told, opset)
    made, written_in = list(_inlined(rewrite, node, told, body)), walk.version_of(body.opset_import) or opset
    rewrite.infer(made, written_in, node.input)
    return made, written_in


def _body(rewrite: Rewrite, node: Any, told: Any, opset: int) -> Any:
    import onnx

    if told.has_function:
        function = told.get_function_with_opset_version(opset)
        body = onnx.FunctionProto()
        body.ParseFromString(function if isinstance(function, bytes) else function.SerializeToString())
        return body
    kinds = [rewrite.type_of(name) if name else onnx.TypeProto() for name in node.input]
    if any(kind is None for kind in kinds):
        raise Cannot(f"{label(node)}: the types of its inputs are unknown, so {node.op_type} cannot be written out")
    made = told.get_context_dependent_function_with_opset_version(
        opset, node.SerializeToString(), [kind.SerializeToString() for kind in kinds]
    )
    body = onnx.FunctionProto()
    body.ParseFromString(made)
    if not body.node:
        raise Cannot(f"{label(node)}: the standard has no simpler operators for this form of {node.op_type}")
    return body


def _inlined(rewrite: Rewrite, node: Any, told: Any, body: Any) -> Iterator[Any]:
    """The nodes of a body with the names and attributes of the call."""
    names: dict[str, str] = {"": ""}
    for place, name in enumerate(body.input):
        names[name] = node.input[place] if place < len(node.input) else ""
    for place, name in enumerate(body.output):
        names[name] = node.output[place] if place < len(node.output) and node.output[place] else ""
    prefix = node.name or (node.output[0] if node.output else node.op_type)
    for each in body.node:
        for name in each.output:
            if not names.get(name):
                names[name] = rewrite.fresh(f"{prefix}/{name}")
    for each in body.node:
        made = type(each)()
        made.CopyFrom(each)
        _rename(made, names)
        _bind(made, node, told)
        yield made


def _rename(node: Any, names: dict[str, str]) -> None:
    for values in (node.input, node.output):
        for place, name in enumerate(values):
            values[place] = names.get(name, name)
    for graph in subgraphs(node):
        for each in graph.node:
            _rename(each, names)


def _bind(node: Any, call: Any, told: Any) -> None:
    """Puts the caller's values for attributes that refer to them."""
    for attribute in list(node.attribute):
        if not attribute.ref_attr_name:
            continue
        name, wanted = attribute.name, attribute.ref_attr_name
        node.attribute.remove(attribute)
        given = walk.attribute(call, wanted)
        if given is None and wanted in told.attributes:
            default = told.attributes[wanted].default_value
            given = default if default.type else None
        if given is not None:
            made = type(attribute)()
            made.CopyFrom(given)
            made.name = name
            node.attribute.append(made)
