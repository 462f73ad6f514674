"""Cast UINT8 inputs to FLOAT at the start of the graph.

What it changes: behind each input of bytes a Cast to float32 is put, and the graph computes with that. The input
itself keeps its type, so the caller sends what it always sent. Constants that meet the input become floats too.

When it is wrong: where the graph counts on bytes that wrap round at 256. Pictures are not scaled: a model that
scales them itself still does.

Proof: outputs compared with the reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import agree, elements, feeds, files, flow, recast
from triage.remedy import Proposal

CAUSES = ("operator-dtype-unsupported",)
SAFETY = "safe"
_SAID = re.compile(r"(?i)\b(?:uint8|data ?type \(?2\)?)\b")


def propose(site: Site) -> Iterator[Proposal]:
    """A model with an input of bytes that something other than a Cast reads, where the log complains of them."""
    said = _SAID.search("\n".join(site.found.evidence) or site.log)
    if not said or not set(CAUSES) & set(site.found.causes):
        return
    for path, model in files.each(site):
        names = _bytes(model)
        if names:
            told = ", ".join(names)
            yield Proposal(f"cast {told} to float32 at the start of {path}", {"model": path, "inputs": names})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the casts, and with constants that agree."""
    folder = os.path.dirname(site.path(parameters["model"]))
    with files.edit(site, parameters["model"]) as model:
        for name in parameters["inputs"]:
            recast.lead(model, name, elements.FLOAT)
        plan = agree.Plan(model, agree.POLICIES[0], folder)
        recast.carry_out(model, plan.edits(), folder)


def _bytes(model: Any) -> list[str]:
    values = feeds.inputs(model).items()
    inputs = {name for name, value in values if flow.declared_type(value) == elements.UINT8}
    read = {name for node in model.graph.node if node.op_type != "Cast" for name in node.input}
    return sorted(inputs & read)


def _picture(folder: str) -> None:
    """Bytes are turned round, cast, scaled and averaged."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], "turn", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["floats"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "scale"], ["scaled"], "scale"),
        helper.make_node("GlobalAveragePool", ["scaled"], ["y"], "pool"),
    ]
    graph = helper.make_graph(
        nodes, "picture",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 4, 4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 1, 1])],
        [numpy_helper.from_array(np.array(255, dtype=np.float32), "scale")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    files.save(model, f"{folder}/model.onnx")


def _floats(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    image = np.random.default_rng(0).integers(0, 256, size=(2, 4, 4, 3), dtype=np.uint8)
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"image": image})))
    np.testing.assert_allclose(got[:, :, 0, 0], image.mean(axis=(1, 2)) / 255, rtol=1e-5)


_FAILED = '[8] Assertion failed: notUint8 && "TensorRT does not support UINT8 types for intermediate tensors!"'
_FOUND = Found(causes=("operator-dtype-unsupported",), evidence=(_FAILED,), tool="tensorrt")
EXAMPLES = (
    Example(_picture, _after, found=_FOUND, log=_FAILED, needs=("onnx",)),
    Example(_floats, None, found=_FOUND, log=_FAILED, applies=False, needs=("onnx",)),
)
