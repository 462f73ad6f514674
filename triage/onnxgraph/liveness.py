"""What of an ONNX graph its outputs depend on, what is left over, and what is broken among it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import order, schemas
from triage.onnxgraph.signatures import versions
from triage.onnxgraph.walk import below, domain_of

UNREADABLE = (ValueError, TypeError, RuntimeError, KeyError, OSError)  # what onnx raises for a tensor that is broken


class Leftover(NamedTuple):
    """What no output of a graph (or local function) depends on."""

    graph: Any
    nodes: tuple[Any, ...]
    initializers: tuple[Any, ...]


def needed(graph: Any) -> tuple[set[str], list[bool]]:
    """(tensors that the outputs depend on, for each node whether it is needed).

    Where several nodes write one tensor, all of them count.
    """
    writers: dict[str, list[int]] = {}
    for place, node in enumerate(graph.node):
        for name in node.output:
            if name:
                writers.setdefault(name, []).append(place)
    kept = [False] * len(graph.node)
    wanted: set[str] = set()
    waiting = [each if isinstance(each, str) else each.name for each in graph.output]
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        for place in writers.get(name, ()):
            if not kept[place]:
                kept[place] = True
                waiting += live_reads(graph.node[place])
    return wanted, kept


def live_reads(node: Any) -> set[str]:
    """Names that a node needs from outside; what only dead nodes of its subgraphs read does not count."""
    names = {name for name in node.input if name}
    for inner in order.subgraphs(node):
        wanted, kept = needed(inner)
        live = [node for node, needs in zip(inner.node, kept, strict=True) if needs]
        own = order.given(inner) | {name for each in live for name in each.output}
        names |= wanted - own
    return names


def leftovers(model: Any) -> list[Leftover]:
    """Everything in the model that no output depends on, graph by graph; inside dead nodes nothing more is listed."""
    found: list[Leftover] = []
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop(0)
        wanted, kept = needed(graph)
        dead = tuple(node for node, live in zip(graph.node, kept, strict=True) if not live and any(node.output))
        for node, live in zip(graph.node, kept, strict=True):
            waiting += order.subgraphs(node) if live else ()
        given = {each if isinstance(each, str) else each.name for each in graph.input}
        unread = tuple(each for each in getattr(graph, "initializer", ()) if each.name not in wanted | given)
        if dead or unread:
            found.append(Leftover(graph, dead, unread))
    return found


def unwritten(model: Any) -> Iterator[tuple[Any, Any, str]]:
    """(graph, node, tensor) for every tensor that a node reads and nothing writes, wherever it could be seen."""
    for start in (model.graph, *model.functions):
        yield from _unwritten(start, set())


def _unwritten(graph: Any, around: set[str]) -> Iterator[tuple[Any, Any, str]]:
    own = order.given(graph) if hasattr(graph, "initializer") else set(graph.input)
    visible = around | own | {name for node in graph.node for name in node.output}
    for node in graph.node:
        for name in node.input:
            if name and name not in visible:
                yield graph, node, name
        for inner in order.subgraphs(node):
            yield from _unwritten(inner, visible)


def unwritten_outputs(graph: Any) -> list[str]:
    """Outputs of the main graph that nothing writes."""
    visible = order.given(graph) | {name for node in graph.node for name in node.output}
    return [value.name for value in graph.output if value.name not in visible]


def within(node: Any) -> Iterator[Any]:
    """A node and all nodes inside it."""
    yield node
    for inner in order.subgraphs(node):
        for graph in below(inner):
            yield from graph.node


def unregistered(model: Any, nodes: Iterable[Any]) -> list[Any]:
    """Nodes whose operator cannot exist: its domain is not imported, or ONNX has no such operator at that opset."""
    opsets = versions(model)
    local = {(domain_of(each.domain), each.name) for each in model.functions}
    return [node for node in nodes if not _registered(node, opsets, local)]


def _registered(node: Any, opsets: dict[str, int], local: set[tuple[str, str]]) -> bool:
    domain = domain_of(node.domain)
    if (domain, node.op_type) in local:
        return True
    if domain not in opsets:
        return False
    return schemas.newest(domain) == 0 or schemas.schema(node.op_type, opsets[domain], domain) is not None


def in_cycle(graph: Any, nodes: Iterable[Any]) -> bool:
    """Says whether these nodes of a graph wait for one another."""
    part = type(graph)()
    part.node.extend(nodes)
    return not order.has_order(part)


def broken_tensor(tensor: Any, missing: Iterable[str] = ()) -> str | None:
    """What is wrong with a stored tensor, in words; ``missing`` are data files that are not there."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.UNDEFINED:
        return "has no element type"
    if not tensor.name:
        return "has no name"
    if tensor.data_location == TensorProto.EXTERNAL:
        place = next((each.value for each in tensor.external_data if each.key == "location"), "")
        return f"lies in {place}, which is not there" if place in missing else None
    try:
        numpy_helper.to_array(tensor)
    except UNREADABLE as fault:
        return f"cannot be read: {' '.join(str(fault).split())[:100]}"
    return None


def remove(leftover: Leftover) -> None:
    """Takes leftover nodes and initializers out of their graph, and what is said of tensors that are gone."""
    graph = leftover.graph
    discard(graph.node, leftover.nodes)
    if leftover.initializers:
        discard(graph.initializer, leftover.initializers)
    there = order.given(graph) if hasattr(graph, "initializer") else set(graph.input)
    there |= {name for node in graph.node for name in node.output} | {
        each if isinstance(each, str) else each.name for each in graph.output
    }
    discard(graph.value_info, [value for value in getattr(graph, "value_info", ()) if value.name not in there])


def discard(repeated: Any, items: Iterable[Any]) -> None:
    """Removes these very items from a repeated field, not others that are equal."""
    gone = {id(item) for item in items}
    for place in reversed(range(len(repeated) if gone else 0)):
        if id(repeated[place]) in gone:
            del repeated[place]


def unread_inputs(graph: Any) -> list[str]:
    """Inputs of the main graph that no output depends on."""
    wanted, _ = needed(graph)
    return [value.name for value in graph.input if value.name not in wanted]
