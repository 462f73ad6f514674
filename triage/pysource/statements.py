"""Inserting statements and finding how a value is used before and after a place."""

from __future__ import annotations

import libcst as cst

from triage.pysource.flow import Flow, Origin
from triage.pysource.project import dotted_text
from triage.pysource.source import Source


def insert_before(source: Source, node: cst.CSTNode, *lines: str) -> None:
    """Puts lines before the statement in which a node stands, indented like it."""
    statement = source.statement(node)
    start = source.span(statement)[0]
    head = indent_of(source, start)
    source.insert(start, "".join(line + source.newline + head for line in lines))


def insert_after(source: Source, node: cst.CSTNode, *lines: str) -> None:
    """Puts lines behind the statement in which a node stands, indented like it."""
    statement = source.statement(node)
    start, end = source.span(statement)
    head = indent_of(source, start)
    stop = source.data.find(b"\n", end)
    text = "".join(head + line + source.newline for line in lines)
    if stop < 0:
        source.insert(len(source.data), source.newline + text)
    else:
        source.insert(stop + 1, text)


def insert_top(source: Source, node: cst.CSTNode, text: str) -> None:
    """Puts a block before the top-level statement in which a node stands, with two empty lines behind it."""
    at = source.statement(node)
    while not isinstance(source.parent(at), cst.Module):
        up = source.parent(at)
        if up is None:
            return
        at = source.statement(up)
    start = source.span(at)[0]
    if isinstance(at, cst.FunctionDef | cst.ClassDef) and at.decorators:
        start = source.span(at.decorators[0])[0]
    source.insert(start, text.replace("\n", source.newline) + source.newline * 2)


def indent_of(source: Source, start: int) -> str:
    """The white space before a statement."""
    head = source.data[source.data.rfind(b"\n", 0, start) + 1 : start].decode()
    return head if not head.strip() else ""


def calls_of_object(source: Source, name: str) -> list[cst.Call]:
    """Calls of an object itself, such as ``model(x)``, by the text of its name."""
    return [call for call in source.find(cst.Call) if dotted_text(call.func) == name]


def chain(flow: Flow, origin: Origin) -> list[str]:
    """Methods that were called one on the other to make a value: ``Net().to(d).eval()`` -> ["to", "eval"]."""
    found: list[str] = []
    node = origin.node
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        found.insert(0, node.func.attr.value)
        node = node.func.value
    return found
