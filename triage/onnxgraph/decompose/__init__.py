"""Replaces ONNX operators that a consumer lacks by simpler ones that compute the same.

One module for each operator, named ``<domain>__<operator>`` in small letters with underscores for dots
(``com_microsoft__groupnorm``), with ``rewrite(work)``. Operators of the standard that are functions need no module:
their definition holds the body. Modules that begin with an underscore are helpers.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from triage.onnxgraph import naming, order, shapes, walk
from triage.onnxgraph.decompose import _function
from triage.onnxgraph.decompose._work import CannotRewrite, Work

__all__ = ["CannotRewrite", "Work", "decompose", "known"]


def stem(domain: str, name: str) -> str:
    """The module that rewrites an operator."""
    return f"{(walk.domain_of(domain) or 'ai.onnx').replace('.', '_')}__{name}".lower()


def known(model: Any, domain: str, name: str) -> bool:
    """Whether there is a way to write this operator of this model with others."""
    return (
        find_spec(f"triage.onnxgraph.decompose.{stem(domain, name)}") is not None
        or _function.local(model, domain, name) is not None
        or _function.defined(domain, name)
    )


def decompose(model: Any, wanted: Iterable[tuple[str, str]], folder: str | None = None) -> list[str]:
    """Rewrites all nodes of the given (domain, operator) in place; gives their names.

    Raises:
        CannotRewrite: one of them is of a kind that is not known how to write.
    """
    asked = {(walk.domain_of(domain), name) for domain, name in wanted}
    done: list[str] = []
    _graph(model, model.graph, None, asked, folder, done)
    for function in model.functions:
        if any((walk.domain_of(node.domain), node.op_type) in asked for node in function.node):
            raise CannotRewrite(f"it stands inside the local function {function.name}")
    return done


def _graph(
    model: Any,
    graph: Any,
    around: shapes.Facts | None,
    asked: set[tuple[str, str]],
    folder: str | None,
    done: list[str],
) -> None:
    facts = shapes.Facts(model, graph, around, folder=folder)
    waiting = list(graph.node)[::-1]
    written: list[Any] = []
    while waiting:
        node = waiting.pop()
        if (walk.domain_of(node.domain), node.op_type) in asked:
            for tensor, new in _replaced(model, graph, node, facts):
                if tensor:
                    facts.add_tensor(new)
                else:
                    waiting.append(new)
            done.append(naming.label(node))
            continue
        _learn(facts, node)
        for inner in order.subgraphs(node):
            _graph(model, inner, facts, asked, folder, done)
        written.append(node)
    del graph.node[:]
    graph.node.extend(written)


def _replaced(model: Any, graph: Any, node: Any, facts: shapes.Facts) -> Iterable[tuple[bool, Any]]:
    """(True, new constant) first, then (False, new node) from the last to the first."""
    before = len(graph.initializer)
    work = Work(model, graph, node, facts)
    module = f"triage.onnxgraph.decompose.{stem(node.domain, node.op_type)}"
    if find_spec(module) is not None:
        import_module(module).rewrite(work)
    else:
        _function.expand(work)
    nodes = work.finish()
    yield from ((True, tensor) for tensor in graph.initializer[before:])
    yield from ((False, new) for new in reversed(nodes))


def _learn(facts: shapes.Facts, node: Any) -> None:
    try:
        facts.learn(node)
    except shapes.Conflict:
        return
