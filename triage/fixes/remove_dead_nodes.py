"""Remove nodes and tensors that no output depends on.

What it changes: nodes that reach no output of the model (or of their inner graph) are taken out, with the
initializers and stored shapes that only they used. Where the caller does not feed an input that nothing reads,
that input is taken out too.

When it is wrong: never for the numbers. A custom operator that is there for what it does beside computing, such as
printing, is lost with the rest. A tensor that an output does depend on and that nothing writes cannot be mended so;
then it is said.

Proof: the outputs are the same bit for bit, for the nodes that compute them are untouched.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, liveness, naming
from triage.remedy import Proposal, Refusal

CAUSES = (
    "model-invalid", "type-inference-conflict", "shape-inference-conflict", "operator-dtype-unsupported",
    "operator-unsupported", "custom-op-unregistered", "opset-unsupported", "external-data-missing",
    "input-name-mismatch",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True
_MISSING = re.compile(r"Required inputs \((\[[^\]]{0,2000}\])\) are missing from input feed")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """A model whose leftover part is broken, is named in the log, or holds an input that nobody feeds."""
    for path, model in files.each(site):
        parts = liveness.leftovers(model)
        dead = [node for part in parts for node in part.nodes]
        why = next(_faults(site, path, model, parts), None) or _named(site, model, dead)
        inputs = [name for name in _not_fed(site) if name in liveness.unread_inputs(model.graph)]
        if why:
            count = f"{len(dead)} leftover node{'s' * (len(dead) != 1)}" if dead else "leftover tensors"
            yield Proposal(f"remove {count} from {path}: {why}", {"model": path, "inputs": []})
        elif inputs and set(_not_fed(site)) <= set(inputs):
            what = f"remove the input {', '.join(inputs)} from {path}: nothing reads it, and nobody feeds it"
            yield Proposal(what, {"model": path, "inputs": inputs})
        yield from _needed_but_unwritten(path, model, dead)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model without its leftover part."""
    with files.edit(site, parameters["model"]) as model:
        for part in liveness.leftovers(model):
            liveness.remove(part)
        gone = [value for value in model.graph.input if value.name in parameters["inputs"]]
        liveness.discard(model.graph.input, gone)


def _faults(site: Site, path: str, model: Any, parts: list[liveness.Leftover]) -> Iterator[str]:
    """What is wrong with the leftover part."""
    inside = [each for part in parts for node in part.nodes for each in liveness.within(node)]
    ids = {id(node) for node in inside}
    for _, node, name in liveness.unwritten(model):
        if id(node) in ids:
            yield f"{naming.label(node)} reads {name}, which nothing writes"
    for node in liveness.unregistered(model, inside):
        yield f"there is no operator {node.domain or 'ai.onnx'}::{node.op_type} here, and no output needs it"
    folder = os.path.dirname(site.path(path))
    for part in parts:
        if part.nodes and liveness.in_cycle(part.graph, part.nodes):
            yield "they wait for one another"
        for tensor in part.initializers:
            places = [each.value for each in tensor.external_data if each.key == "location"]
            wrong = liveness.broken_tensor(tensor, [each for each in places if not _is_there(folder, each)])
            if wrong:
                yield f"the unused initializer {tensor.name} {wrong}"


def _is_there(folder: str, name: str) -> bool:
    return os.path.exists(os.path.join(folder, name))


def _named(site: Site, model: Any, dead: list[Any]) -> str | None:
    """A leftover node that the decisive lines of the log name."""
    told = " ".join((*site.found.evidence, *site.found.captures.values()))
    live = {node.op_type for node in model.graph.node} - {node.op_type for node in dead}
    for node in dead:
        names = [node.name, *node.output]
        if any(name and re.search(rf"(?<![\w/.]){re.escape(name)}(?![\w/])", told) for name in names):
            return f"the failure names {naming.label(node)}, and no output needs it"
        if node.op_type not in live and site.found.captures.get("op") == node.op_type:
            return f"the failure names the operator {node.op_type}, and no output needs it"
    return None


def _not_fed(site: Site) -> list[str]:
    """Inputs of which ONNX Runtime says that they are missing from the feed."""
    found = _MISSING.search(site.log)
    try:
        return [str(each) for each in ast.literal_eval(found[1])] if found else []
    except (ValueError, SyntaxError):
        return []


def _needed_but_unwritten(path: str, model: Any, dead: list[Any]) -> Iterator[Refusal]:
    ids = {id(each) for node in dead for each in liveness.within(node)}
    for _, node, name in liveness.unwritten(model):
        if id(node) not in ids:
            why = f"{path}: {naming.label(node)} reads {name}, which nothing writes, and an output depends on it"
            yield Refusal(why, "export the model again, or put the missing node back")
            return


def _before(folder: str) -> None:
    from onnx import helper

    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    model.graph.node.insert(1, helper.make_node("Mul", ["h1", "mask"], ["masked"], "leftover"))
    model.graph.node.append(helper.make_node("Relu", ["masked"], ["unused"], "leftover2"))
    files.save(model, f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    assert [node.name for node in onnx.load(site.path("model.onnx")).graph.node] == ["fc1", "relu", "fc2"]  # noqa: S101


def _whole(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


def _needed(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    model.graph.node[1].input[0] = "lost"
    files.save(model, f"{folder}/model.onnx")


EXAMPLES = (
    Example(_before, _after, needs=("onnx",)),
    Example(_whole, None, applies=False, needs=("onnx",)),
    Example(_needed, None, found=Found(causes=("model-invalid",)), applies=False, needs=("onnx",)),
)
