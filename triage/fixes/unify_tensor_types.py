"""Insert the missing Cast nodes.

What it changes: where the inputs of a node contradict each other or the operator (an integer times a float, float
indices, a double constant beside floats, a number as a condition), one side is cast. The operators' schemas say
which types must agree. A constant that only such nodes read is stored in the new type; anything else gets a Cast.
Every conflict of the model is settled at once, in inner graphs too.

When it is wrong: a node that was wired to the wrong tensor also shows as a conflict of types; then a Cast hides
the mistake, and only the comparison of outputs tells. Constants are changed only where no number loses its
meaning: indices must be whole, nothing may overflow. Computed floats become whole numbers only where an operator
takes indices, sizes or counts, cut off or rounded; without a check in the recipe that is unsafe.

Proof: the outputs are compared. Where several ways lead to agreement, the one with the fewest changes is tried first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from triage.fixes import Example, Site
from triage.onnxgraph import agree, files, proving, recast
from triage.remedy import Proposal, Refusal

CAUSES = ("type-inference-conflict", "operator-dtype-unsupported", "model-invalid", "shape-inference-conflict")
SAFETY = "safe"
EVIDENT = True
_MOST = 3
_TOLD = 3


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model with conflicts: the cheapest ways to settle them all."""
    for path, model in files.each(site):
        folder = os.path.dirname(site.path(path))
        found = False
        for plan in islice(agree.plans(model, folder), _MOST):
            found = True
            safety = proving.safe_if_compared(site) if plan.cuts() else None
            parameters = {"model": path, "policy": plan.policy.name}
            yield Proposal(_sentence(path, plan), parameters, safety, guess=plan.cuts())
        if not found:
            for why in agree.refusals(model, folder)[:1]:
                yield Refusal(f"{path}: {why}; no cast keeps the meaning", "export the model again with matching types")


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the casts of the plan."""
    folder = os.path.dirname(site.path(parameters["model"]))
    with files.edit(site, parameters["model"]) as model:
        recast.carry_out(model, agree.plan_named(model, parameters["policy"], folder).edits(), folder)


def _sentence(path: str, plan: agree.Plan) -> str:
    words = plan.words()
    more = f" and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return f"cast{' rounded' * plan.policy.rounds} in {path}: {'; '.join(words[:_TOLD])}{more}"


def _model(constant: Any) -> Any:
    """x[batch,4] -> x * Shape(x)[1] + constant -> y."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], "shape"),
        helper.make_node("Gather", ["shape", "one"], ["width"], "width"),
        helper.make_node("Mul", ["x", "width"], ["scaled"], "scale"),
        helper.make_node("Add", ["scaled", "bias"], ["y"], "add"),
    ]
    if constant.dtype == "float32":
        nodes.insert(2, helper.make_node("Cast", ["width"], ["width_f"], "cast", to=TensorProto.FLOAT))
        nodes[3].input[1] = "width_f"
    one = numpy_helper.from_array(constant.astype("int64").sum() * 0 + 1, "one")
    graph = helper.make_graph(
        nodes, "scaled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [one, numpy_helper.from_array(constant, "bias")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _mixed(folder: str) -> None:
    import numpy as np

    files.save(_model(np.array([0.5, -1, 2, 1 / 3])), f"{folder}/model.onnx")


def _matching(folder: str) -> None:
    import numpy as np

    files.save(_model(np.array([0.5, -1, 2, 1 / 3], dtype=np.float32)), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"x": rows})))
    np.testing.assert_allclose(got, rows * 4 + np.array([0.5, -1, 2, 1 / 3]), rtol=1e-6)


EXAMPLES = (
    Example(_mixed, _after, needs=("onnx",)),
    Example(_matching, None, applies=False, needs=("onnx",)),
)
