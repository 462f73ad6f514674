"""Compute nodes in a type that the runtime has, between Casts.

What it changes: a node whose operator ONNX Runtime knows, but not for these element types (bfloat16, float16,
float64, integers, booleans), gets its inputs cast to the nearest type for which there is a kernel, and its outputs
cast back. All such nodes of the model are treated at once; between two of them the wider type is kept.

When it is wrong: integers beyond 2^53 do not survive a way through float64, nor fractions beyond seven digits one
through float32. Constants that would lose their meaning are not cast.

Proof: outputs compared with the reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site
from triage.onnxgraph import bridge, elements, files, naming, recast, walk
from triage.remedy import Proposal

CAUSES = ("operator-dtype-unsupported", "operator-unsupported")
SAFETY = "safe"
_UNFOUND = re.compile(
    r"Could not find an implementation for (?:the node )?(?:(?P<first>[^\s:()]{1,200}):)?(?P<op>\w{1,80})\(\d+\)"
    r"(?: node with name '(?P<node>[^']{0,300})')?"
)
_AT_RUN = (
    re.compile(r"(?P<dtype>\w{1,20}) data type is not supported with (?P<op>\w{1,40}) opset"),
    re.compile(r"(?P<op>\w{1,40}) operator does not support (?P<dtype>\w{1,20})"),
)
_RARE = (elements.DOUBLE, elements.FLOAT16, elements.BFLOAT16)
_TOLD = 3


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for a model that holds the node which the log names, with types that lack a kernel."""
    blame = _blame(site)
    if not blame:
        return
    for path, model in files.each(site):
        found = _find(site, path, model)
        if any(each.node.op_type == blame[0] for each in found) or (found and _inside(model, blame[0])):
            told = "; ".join(_words(each) for each in found[:_TOLD])
            more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
            yield Proposal(f"compute in {path} {told}{more}", {"model": path})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with Casts round its nodes without a kernel."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        found = _find(site, path, model)
        if not found:
            raise CannotApply(f"no node of {path} lacks a kernel")
        recast.carry_out(model, bridge.edits(model, found), _folder(site, path))


def _find(site: Site, path: str, model: Any) -> list[bridge.Bridge]:
    inside = _inside(model, (_blame(site) or ("",))[0])
    return bridge.bridges(model, _folder(site, path), _named(site), parts=inside)


def _inside(model: Any, operator: str) -> bool:
    """Says whether the runtime took the operator from the definition of another one."""
    return operator not in {node.op_type for node in walk.nodes(model)}


def _folder(site: Site, path: str) -> str:
    return os.path.dirname(site.path(path))


def _blame(site: Site) -> tuple[str, str, int | None] | None:
    """(operator, node name, element type) that the log blames."""
    match = _UNFOUND.search(site.log)
    if match:
        return match["op"], match["node"] or match["first"] or "", None
    found = next((match for pattern in _AT_RUN if (match := pattern.search(site.log))), None)
    return (found["op"], "", elements.number(found["dtype"].removeprefix("ML"))) if found else None


def _named(site: Site) -> Any:
    operator, name, element = _blame(site) or ("", "", None)

    def blamed(node: Any, types: Mapping[str, int]) -> list[str]:
        if node.op_type != operator or not (element or (name and node.name == name)):
            return []
        rare = [key for key, each in types.items() if each in _RARE]
        return [key for key, each in types.items() if each == element] if element else rare

    return blamed


def _words(each: bridge.Bridge) -> str:
    types = sorted({elements.name(each.want[name]) for name in each.want if each.want[name] != each.have[name]})
    return f"{naming.label(each.node)} in {', '.join(types)}"


def _erf(element: int) -> Any:
    """Of x: x + erf(x)."""
    from onnx import helper

    nodes = [helper.make_node("Erf", ["x"], ["e"], "act"), helper.make_node("Add", ["x", "e"], ["y"], "add")]
    graph = helper.make_graph(
        nodes, "erf",
        [helper.make_tensor_value_info("x", element, ["batch", 4])],
        [helper.make_tensor_value_info("y", element, ["batch", 4])],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _before(folder: str) -> None:
    files.save(_erf(elements.DOUBLE), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    rows = np.linspace(-2, 2, 8).reshape(2, 4)
    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    math = np.vectorize(__import__("math").erf)
    np.testing.assert_allclose(session.run(None, {"x": rows})[0], rows + math(rows), rtol=1e-5, atol=1e-6)


def _served(folder: str) -> None:
    files.save(_erf(elements.FLOAT), f"{folder}/model.onnx")


_FAILED = "NOT_IMPLEMENTED : Could not find an implementation for Erf(13) node with name 'act'"
_FOUND = Found(causes=("operator-dtype-unsupported",), captures={"op": "Erf"}, evidence=(_FAILED,))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_FAILED, needs=("onnx", "onnxruntime")),
    Example(_served, None, found=_FOUND, log=_FAILED, applies=False, needs=("onnx", "onnxruntime")),
)
