"""The order of nodes in an ONNX graph: every tensor is written before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def subgraphs(node: Any) -> Iterator[Any]:
    """The graphs in a node's attributes (If, Loop, Scan)."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def reads(node: Any) -> set[str]:
    """Names a node needs from outside itself, those of its subgraphs included."""
    names = {name for name in node.input if name}
    for graph in subgraphs(node):
        names |= outer_names(graph)
    return names


def outer_names(graph: Any) -> set[str]:
    """Names that a subgraph takes from the graphs around it."""
    own = given(graph) | {name for node in graph.node for name in node.output}
    wanted = {name for node in graph.node for name in reads(node)} | {value.name for value in graph.output}
    return wanted - own


def given(graph: Any) -> set[str]:
    """Names that are there before the first node: inputs and initializers."""
    names = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return names | {tensor.values.name for tensor in graph.sparse_initializer}


def first_late(graph: Any) -> str | None:
    """The first tensor that is read before the node that writes it; None where the order is right."""
    written = given(graph)
    later = {name for node in graph.node for name in node.output if name}
    for node in graph.node:
        for name in sorted(reads(node)):
            if name not in written and name in later:
                return name
        written |= set(node.output)
        for inner in subgraphs(node):
            late = first_late(inner)
            if late:
                return late
    return None


def has_order(graph: Any) -> bool:
    """Whether there is an order at all, that is: no cycle."""
    return _sorted(graph) is not None


def cycle(graph: Any) -> list[str]:
    """Nodes that wait for each other in a circle, in words, the first again at the end; empty where there is none."""
    if has_order(graph):
        return next((found for node in graph.node for inner in subgraphs(node) if (found := cycle(inner))), [])
    writer = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    if len(writer) < sum(bool(name) for node in graph.node for name in node.output):
        return []  # with two writers of one tensor nobody knows who waits for whom
    waits = {
        place: [writer[name] for name in sorted(reads(node)) if name in writer] for place, node in enumerate(graph.node)
    }
    while free := [place for place, needed in waits.items() if not any(each in waits for each in needed)]:
        for place in free:
            del waits[place]
    path = [next(iter(waits))]
    while (after := next(each for each in waits[path[-1]] if each in waits)) not in path:
        path.append(after)
    circle = [*path[path.index(after) :], after]
    return [_label(graph.node[place]) for place in reversed(circle)]


def _label(node: Any) -> str:
    return f"{node.op_type} {node.name or next(iter(node.output), '')}".strip()


def sort(graph: Any) -> None:
    """Puts the nodes in order, keeping the given order where it is free; its subgraphs too.

    Raises:
        ValueError: the graph has a cycle.
    """
    nodes = _sorted(graph)
    if nodes is None:
        raise ValueError("the graph has a cycle")
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for inner in subgraphs(node):
            sort(inner)


def _sorted(graph: Any) -> list[Any] | None:
    import heapq

    writer = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    waits = [{writer[name] for name in reads(node) if name in writer} - {-1} for node in graph.node]
    readers: list[list[int]] = [[] for _ in graph.node]
    for place, needed in enumerate(waits):
        if place in needed:
            return None
        for other in needed:
            readers[other].append(place)
    missing = [len(needed) for needed in waits]
    ready = [place for place, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    found = []
    while ready:
        place = heapq.heappop(ready)
        found.append(graph.node[place])
        for reader in readers[place]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, reader)
    return [_copied(node) for node in found] if len(found) == len(graph.node) else None


def _copied(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy
