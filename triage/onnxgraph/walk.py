"""Everything inside a model: graphs within graphs, functions, nodes, stored tensors, opset imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triage.onnxgraph.order import subgraphs

STANDARD = ("", "ai.onnx")  # two spellings of one domain


def below(body: Any) -> Iterator[Any]:
    """A graph or function, and every graph nested in it."""
    yield body
    for node in body.node:
        for inner in subgraphs(node):
            yield from below(inner)


def bodies(model: Any) -> Iterator[Any]:
    """Every graph of the model and every local function, nested ones included."""
    yield from below(model.graph)
    for function in model.functions:
        yield from below(function)


def graphs(model: Any) -> Iterator[Any]:
    """Every graph of the model; local functions only where a graph is nested in them."""
    return (body for body in bodies(model) if hasattr(body, "initializer"))


def nodes(model: Any) -> Iterator[Any]:
    """Every node of the model."""
    for body in bodies(model):
        yield from body.node


def tensors(model: Any) -> Iterator[Any]:
    """Every stored tensor: initializers, parts of sparse ones, and tensors in attributes."""
    for body in bodies(model):
        if hasattr(body, "initializer"):
            yield from body.initializer
            for sparse in body.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in body.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def names(model: Any) -> set[str]:
    """Every name of a tensor that occurs anywhere in the model."""
    found: set[str] = set()
    for body in bodies(model):
        for node in body.node:
            found.update(node.input, node.output)
        if hasattr(body, "initializer"):
            found.update(tensor.name for tensor in body.initializer)
            found.update(sparse.values.name for sparse in body.sparse_initializer)
            for values in (body.input, body.output, body.value_info):
                found.update(value.name for value in values)
        else:
            found.update(body.input, body.output)
    return found


def domain_of(name: str) -> str:
    """A domain as it is compared: the standard one is empty, however it is spelled."""
    return "" if name in STANDARD else name


def version_of(imports: Any, domain: str = "") -> int | None:
    """The version that a list of opset imports gives for a domain, the highest where it is listed twice."""
    found = [each.version for each in imports if domain_of(each.domain) == domain_of(domain)]
    return max(found) if found else None


def set_version(holder: Any, domain: str, version: int) -> None:
    """Sets the one opset import of a domain in a model or function, dropping doubles."""
    kept = [each for each in holder.opset_import if domain_of(each.domain) == domain_of(domain)]
    for extra in kept[1:]:
        holder.opset_import.remove(extra)
    entry = kept[0] if kept else holder.opset_import.add(domain=domain)
    entry.version = version


def of_domain(nodes: Any, domain: str = "") -> Iterator[Any]:
    """Nodes of one domain."""
    return (node for node in nodes if domain_of(node.domain) == domain_of(domain))


def attribute(node: Any, name: str) -> Any:
    """The attribute of that name; None where it is absent."""
    return next((each for each in node.attribute if each.name == name), None)


def value_of(node: Any, name: str, default: Any = None) -> Any:
    """The value of an attribute; the default where it is absent or taken from a function's caller."""
    import onnx

    found = attribute(node, name)
    if found is None or found.ref_attr_name:
        return default
    value = onnx.helper.get_attribute_value(found)
    return value.decode() if isinstance(value, bytes) else value


def set_value(node: Any, name: str, value: Any) -> None:
    """Sets an attribute; None removes it."""
    import onnx

    old = attribute(node, name)
    if old is not None:
        node.attribute.remove(old)
    if value is not None:
        node.attribute.append(onnx.helper.make_attribute(name, value))
