"""Plays the nodes of the main graph through, each after what it reads, and mends those that a fixed size breaks."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph.relax import _meeting, _reshaping
from triage.onnxgraph.relax._state import State

_HANDLERS = {**_meeting.HANDLERS, **_reshaping.HANDLERS}


def play(state: State) -> None:
    """Writes every node of the graph anew, with what it takes to make it follow the sizes of the inputs."""
    nodes = [_copied(node) for node in state.model.graph.node]
    before = {name for node in nodes for name in node.output if name}
    dead = _unused(nodes, state.model.graph)
    for node in nodes:
        handler = _HANDLERS.get(node.op_type)
        if handler is not None and node.domain in ("", "ai.onnx"):
            handler(state, node)
            state.flush()
        state.write(node)
    written = _without_leftovers(state.written, state.model.graph, dead)
    state.written = written
    _reshaping.check_resizes(state)
    del state.model.graph.node[:]
    state.model.graph.node.extend(written)
    _drop_unused_constants(state, before)


def _copied(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _unused(nodes: list[Any], graph: Any) -> set[str]:
    """Outputs that nobody read in the given file."""
    from triage.onnxgraph.order import reads

    read = {name for node in nodes for name in reads(node)} | {value.name for value in graph.output}
    return {name for node in nodes for name in node.output if name and name not in read}


def _without_leftovers(nodes: list[Any], graph: Any, dead: set[str]) -> list[Any]:
    """Leaves out nodes that were read before and are read by no one now."""
    from triage.onnxgraph.order import reads

    wanted = {value.name for value in graph.output} | dead
    kept = []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted |= reads(node)
    return kept[::-1]


def _drop_unused_constants(state: State, before: set[str]) -> None:
    from triage.onnxgraph.order import reads

    graph = state.model.graph
    read = {name for node in graph.node for name in reads(node)} | {value.name for value in graph.output}
    fed = {value.name for value in graph.input}
    for tensor in [each for each in graph.initializer if each.name.startswith("relaxed/")]:
        if tensor.name not in read | fed | before:
            graph.initializer.remove(tensor)
