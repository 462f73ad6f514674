"""Cast DOUBLE tensors to FLOAT.

What it changes: every float64 tensor, constant, Cast target and declaration of the model becomes float32, in inner
graphs and functions too. Inputs that the caller feeds as float64 keep their type, and outputs then keep theirs: a
Cast joins them to the rest.

When it is wrong: numbers beyond the range of float32, large whole numbers (times, ids) and tiny constants have no
float32; then nothing is done, and it is said which. Sums over very many values may lose digits that count.

Proof: outputs compared within the tolerance of float32.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import elements, feeds, files, flow, narrow
from triage.onnxgraph import walk as walks
from triage.remedy import Proposal, Refusal

CAUSES = (
    "operator-dtype-unsupported", "operator-unsupported", "kernel-implementation-missing", "type-inference-conflict",
)  # fmt: skip
SAFETY = "safe"
_SAID = re.compile(r"(?i)\b(?:double|float64|fp64|data ?type \(?11\)?)\b")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For a model with float64 at the place that failed: all in float32, or all but inputs and outputs."""
    for path, model in files.each(site):
        if not _concerned(site, model):
            continue
        folder = os.path.dirname(site.path(path))
        fed = feeds.sent(site, feeds.inputs(model))
        lost = narrow.first_loss(model, elements.DOUBLE, elements.FLOAT, folder) or _lost_in_feeds(fed)
        if lost:
            yield Refusal(f"{path} cannot become float32: {lost}", "use a consumer that computes in float64")
            continue
        kept = [value.name for value in model.graph.input if flow.declared_type(value) == elements.DOUBLE]
        sent = [name for name in kept if name in fed and feeds.element_of(fed[name]) == elements.DOUBLE]
        outputs = [value.name for value in model.graph.output if flow.declared_type(value) == elements.DOUBLE]
        inner = Proposal(
            f"compute {path} in float32, with its inputs and outputs as they are",
            {"model": path, "keep": [*(sent or kept), *outputs]},
        )
        whole = Proposal(f"turn {path} from float64 to float32", {"model": path, "keep": []})
        if _is_tensorrt(site):  # it has no float64 at all
            yield whole
        else:
            yield from (inner, whole) if sent else (whole, inner) if kept or outputs else (whole,)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model in float32."""
    folder = os.path.dirname(site.path(parameters["model"]))
    with files.edit(site, parameters["model"]) as model:
        narrow.narrow(model, elements.DOUBLE, elements.FLOAT, folder, parameters["keep"])


def _concerned(site: Site, model: Any) -> bool:
    """Says whether what failed has to do with float64 in this model."""
    walk = flow.plain(model)
    types = [scope.types for scope in walk.scopes.values()]
    if not any(elements.DOUBLE in each.values() for each in types):
        return False
    if _is_tensorrt(site) or not set(CAUSES) & set(site.found.causes):
        return _is_tensorrt(site)
    told = "\n".join(site.found.evidence) or site.log
    operator = site.found.captures.get("op")
    hidden = operator and operator not in {node.op_type for node in walks.nodes(model)}  # a part of a composed operator
    return bool(_SAID.search(told) or hidden) or any(
        node.op_type == operator or (node.name and node.name in told)
        for scope in walk.scopes.values()
        for node in scope.graph.node
        if elements.DOUBLE in [scope.type_of(name) for name in (*node.input, *node.output) if name]
    )


def _is_tensorrt(site: Site) -> bool:
    return site.found.tool == "tensorrt" or site.target == "tensorrt"


def _lost_in_feeds(fed: Mapping[str, Any]) -> str | None:
    for name, array in fed.items():
        if feeds.element_of(array) == elements.DOUBLE:
            why = elements.loss(array, elements.FLOAT)
            if why:
                return f"the input {name}: {why}"
    return None


def _convolution(scale: float) -> Any:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Conv", ["image", "w"], ["h"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Constant", [], ["half"], "half", value=numpy_helper.from_array(np.array(0.5))),
        helper.make_node("Mul", ["h", "half"], ["y"], "mul"),
    ]
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(2, 1, 3, 3)) * scale, "w")
    graph = helper.make_graph(
        nodes, "convolution",
        [helper.make_tensor_value_info("image", TensorProto.DOUBLE, ["batch", 1, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["batch", 2, 6, 6])],
        [weights],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _before(folder: str) -> None:
    files.save(_convolution(1), f"{folder}/model.onnx")


def _too_large(folder: str) -> None:
    files.save(_convolution(1e40), f"{folder}/model.onnx")


def _single(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    rows = np.random.default_rng(1).normal(size=(2, 1, 6, 6))
    want: Any = next(iter(ReferenceEvaluator(_convolution(1)).run(None, {"image": rows})))
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"image": rows.astype(np.float32)})))
    assert got.dtype == np.float32  # noqa: S101
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


_FAILED = "NOT_IMPLEMENTED : Could not find an implementation for Conv(11) node with name 'conv'"
_FOUND = Found(causes=("operator-dtype-unsupported",), captures={"op": "Conv"}, evidence=(_FAILED,))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_FAILED, needs=("onnx",)),
    Example(_too_large, None, found=_FOUND, log=_FAILED, applies=False, needs=("onnx",)),
    Example(_single, None, found=_FOUND, log=_FAILED, applies=False, needs=("onnx",)),
)
