"""Give duplicate names unique ones, and drop what stands twice.

What it changes: where several nodes write one tensor, each writer gets a name of its own and each reader reads the
nearest writer before it, as in a program. An initializer, input, attribute or node that stands twice with the same
content is kept once. Nodes of one name get different names. Outputs of the model keep their names.

When it is wrong: where two models were put together badly, a reader may have meant the other writer. Stored tensors
of one name with different values are not touched: which one is meant stands nowhere. Where a node writes the name
of a stored tensor, both readings are tried.

Proof: outputs compared with the reference. Dropping equal doubles and renaming nodes changes no number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site
from triage.onnxgraph import files, proving, unique
from triage.remedy import Proposal, Refusal

CAUSES = ("model-invalid",)
SAFETY = "safe"
EVIDENT = True
_TOLD = 3


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each model with doubles; two where a node writes the name of a stored tensor."""
    for path, model in files.each(site):
        mending = unique.Mending(model, _folder(site, path))
        if mending.refused:
            yield Refusal(f"{path}: {mending.refused[0]}", "export the model again, or remove the wrong one of the two")
            continue
        invalid = bool(set(CAUSES) & set(site.found.causes))
        if not mending.done and not (mending.names and invalid):
            continue
        what = f"make names in {path} unique: {_words(mending)}"
        safety = "unsafe" if (mending.shadowed or mending.unread) and not proving.compared(site) else None
        yield Proposal(what, {"model": path, "stored_wins": False}, safety, guess=bool(mending.shadowed))
        if mending.shadowed:
            what = f"make names in {path} unique: readers of {mending.shadowed[0]} get the stored tensor"
            yield Proposal(what, {"model": path, "stored_wins": True}, safety, guess=True)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with every name once."""
    folder = _folder(site, parameters["model"])
    with files.edit(site, parameters["model"]) as model:
        mending = unique.Mending(model, folder, stored_wins=parameters["stored_wins"])
        if mending.refused:
            raise CannotApply(mending.refused[0])


def _folder(site: Site, path: str) -> str:
    return os.path.dirname(site.path(path))


def _words(mending: unique.Mending) -> str:
    told = mending.done + ([f"{mending.names} nodes had another's name"] if mending.names else [])
    return "; ".join(told[:_TOLD]) + (f" and {len(told) - _TOLD} more" if len(told) > _TOLD else "")


def _twice(folder: str) -> None:
    """Input -> relu -> h -> neg -> n; sigmoid(n) -> h; h + n: two writers of h, and a node name that stands twice."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Relu", ["input"], ["h"], "act"),
        helper.make_node("Neg", ["h"], ["n"], "neg"),
        helper.make_node("Sigmoid", ["n"], ["h"], "act"),
        helper.make_node("Add", ["h", "n"], ["y"], "add"),
    ]
    graph = helper.make_graph(
        nodes, "twice",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    )  # fmt: skip
    files.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/model.onnx"
    )


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    rows = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"input": rows})))
    low = -np.maximum(rows, 0)
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-low)) + low, rtol=1e-6)


def _conflicting(folder: str) -> None:
    from onnx import numpy_helper

    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    other = numpy_helper.to_array(model.graph.initializer[0]) + 1
    model.graph.initializer.append(numpy_helper.from_array(other, model.graph.initializer[0].name))
    files.save(model, f"{folder}/model.onnx")


def _once(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


_INVALID = Found(causes=("model-invalid",))
EXAMPLES = (
    Example(_twice, _after, found=_INVALID, needs=("onnx",)),
    Example(_once, None, found=_INVALID, applies=False, needs=("onnx",)),
    Example(_conflicting, None, found=_INVALID, applies=False, needs=("onnx",)),
)
