"""New names that are free in an ONNX model, and names for people."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import walk


def fresh(base: str, taken: set[str]) -> str:
    """A free name like ``base``; it is taken from then on."""
    name, number = base, 2
    while not name or name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def node_names(model: Any) -> set[str]:
    """The names of all nodes."""
    return {node.name for node in walk.nodes(model)}


def label(node: Any) -> str:
    """How to call a node in a sentence: its operator and name, or what it writes."""
    told = node.name or next((name for name in node.output if name), "")
    return f"{node.op_type} {told}".strip()
