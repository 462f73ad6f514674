"""Operators that are functions: the model's own, and those of the standard whose definition holds a body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.onnxgraph import order, schemas, walk
from triage.onnxgraph.decompose._work import CannotRewrite, Work


def local(model: Any, domain: str, name: str) -> Any:
    """The model's own function of that name; None where it has none."""
    wanted = (walk.domain_of(domain), name)
    return next((each for each in model.functions if (walk.domain_of(each.domain), each.name) == wanted), None)


def defined(domain: str, name: str) -> bool:
    """Whether some definition of the standard has a body."""
    domain = walk.domain_of(domain)
    if domain not in ("", "ai.onnx.ml"):
        return False
    return any(_has_body(schemas.schema(name, since, domain)) for since in schemas.editions(name, domain))


def _has_body(schema: Any) -> bool:
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def expand(work: Work) -> None:
    """Writes the body of the function in the node's place.

    Raises:
        CannotRewrite: there is none, or it needs another opset than the model has.
    """
    node = work.node
    own = local(work.model, node.domain, node.op_type)
    function, defaults = (own, {}) if own is not None else _standard(work)
    names: dict[str, str] = {"": ""}
    names |= {formal: work.input(place) for place, formal in enumerate(function.input)}
    given = {**defaults, **{each.name: each for each in node.attribute}}
    given |= {each.name: each for each in function.attribute_proto if each.name not in given}
    for inner in function.node:
        copy = _copied(inner, given)
        for name in inner.output:
            names[name] = work.build.fresh(name) if name else ""
        _rename(copy, names)
        _settle(copy, work)
        work.build.nodes.append(copy)
    for place, formal in enumerate(function.output):
        work.give(place, names[formal])


def _standard(work: Work) -> tuple[Any, dict[str, Any]]:
    """The body that the standard gives for the types at hand, and the defaults of its attributes."""
    import onnx

    node, domain = work.node, walk.domain_of(work.node.domain)
    version = walk.version_of(work.model.opset_import, domain) or 1
    editions = schemas.editions(node.op_type, domain)
    fitting = [each for each in editions if each <= version] or editions[:1]
    schema = schemas.schema(node.op_type, fitting[-1], domain) if fitting else None
    if schema is None or not _has_body(schema):
        raise CannotRewrite(f"{node.op_type} is no function")
    types = [work.facts.types[name].SerializeToString() if name in work.facts.types else b"" for name in node.input]
    why = "the types of its inputs are not known"
    for opset in sorted({*schema.function_opset_versions, *schema.context_dependent_function_opset_versions}):
        body = None
        if opset in schema.function_opset_versions:
            body = schema.get_function_with_opset_version(opset)
        elif all(types):
            body = schema.get_context_dependent_function_with_opset_version(opset, node.SerializeToString(), types)
        if not body:
            continue
        function = onnx.FunctionProto.FromString(body)
        defaults = {name: each.default_value for name, each in schema.attributes.items() if each.default_value.type}
        given = {**defaults, **{each.name: each for each in node.attribute}}
        faults = [schemas.fault(_copied(inner, given), work.opset) for inner in function.node if not inner.domain]
        why = next((fault for fault in faults if fault), "")
        if not why:
            return function, defaults
    raise CannotRewrite(f"its body does not fit opset {work.opset}: {why}")


def _copied(node: Any, given: Mapping[str, Any]) -> Any:
    """A node of a body, with the attributes that the caller gives in their places."""
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for each in node.attribute:
        if each.ref_attr_name and each.ref_attr_name not in given:
            continue
        added = copy.attribute.add()
        added.CopyFrom(given[each.ref_attr_name] if each.ref_attr_name else each)
        added.name = each.name
        if added.HasField("g"):
            for number, inner in enumerate(added.g.node):
                added.g.node[number].CopyFrom(_copied(inner, given))
    return copy


def _rename(node: Any, names: Mapping[str, str]) -> None:
    for listed in (node.input, node.output):
        for place, name in enumerate(listed):
            listed[place] = names.get(name, name)
    for graph in order.subgraphs(node):
        own = order.given(graph) | {name for inner in graph.node for name in inner.output}
        outer = {old: new for old, new in names.items() if old not in own}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)


def _settle(node: Any, work: Work) -> None:
    """CastLike becomes a Cast, where the type is known: few consumers have it."""
    node.name = work.build.fresh(node.op_type)
    if node.op_type == "CastLike" and work.facts.dtype(node.input[1]):
        kind = work.facts.dtype(node.input[1])
        node.op_type = "Cast"
        del node.input[1:]
        walk.set_value(node, "saturate", None)
        walk.set_value(node, "to", kind)
