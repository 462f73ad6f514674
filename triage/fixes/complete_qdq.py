"""Complete lone QuantizeLinear and DequantizeLinear nodes.

What it changes: where the types of an ONNX graph prove that one of a pair is missing (DequantizeLinear reads floats,
QuantizeLinear reads bytes, an operator on floats reads what QuantizeLinear wrote), the partner is put in, with the
scale, zero point and axis of the node that is there. Stored bytes whose scale lies beside them under the same name
get their DequantizeLinear back.

When it is wrong: a lone node at an input, an output or a stored weight is in order and left alone. The partner may
have had other parameters, so the pair only stands when outputs are compared. Taking the lone node away instead would
give other numbers: that is not done. Where no node tells the scale, it is refused.

Proof: the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, pairs, proving, quantized
from triage.remedy import Proposal, Refusal

CAUSES = ("qdq-invalid", "type-inference-conflict", "model-invalid")
SAFETY = "unsafe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each model with lone nodes."""
    for path, model in files.each(site):
        found = [each for scope in quantized.scopes(model, _folder(site, path)) for each in pairs.lone(scope)]
        bad = [each for each in found if each.why]
        if bad:
            yield Refusal(f"{path}: {bad[0].label} has no partner, and {bad[0].why}", "quantize the model again")
        elif found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield Proposal(
                f"{path}: put the missing {found[0].partner} beside {found[0].label}{more}", {"model": path},
                safety=proving.safe_if_compared(site),
            )  # fmt: skip


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Puts every missing node in."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        for scope in list(quantized.scopes(model, _folder(site, path))):
            for each in list(pairs.lone(scope)):
                if not each.why:
                    pairs.complete(scope, each)


def _folder(site: Site, path: str) -> str:
    return os.path.dirname(site.path(path))


def _graph(folder: str, *, second: bool) -> None:
    """Y = relu(dequantize(quantize(x)) @ w), with or without its DequantizeLinear."""
    import numpy as np
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dq"),
        helper.make_node("MatMul", ["d" if second else "q", "w"], ["y"], "fc"),
    ]
    arrays = {"s": np.float32(0.25), "z": np.array(128, np.uint8), "w": np.ones((4, 2), np.float32)}
    graph = helper.make_graph(
        [node for node in nodes if second or node.name != "dq"], "g",
        [helper.make_tensor_value_info("x", 1, ["n", 4])], [helper.make_tensor_value_info("y", 1, ["n", 2])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )  # fmt: skip
    files.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), f"{folder}/m.onnx")


def _lone(folder: str) -> None:
    _graph(folder, second=False)


def _whole(folder: str) -> None:
    _graph(folder, second=True)


def _after(site: Site) -> None:
    import numpy as np
    import onnx

    model = onnx.load(site.path("m.onnx"))
    onnx.checker.check_model(model, full_check=True)
    given = proving.outputs(model, {"x": np.array([[0.3, 0.2, -1, 5]], np.float32)})[0]
    np.testing.assert_allclose(given, [[4.5, 4.5]])


EXAMPLES = (
    Example(_lone, _after, found=Found(("qdq-invalid",)), needs=("onnx",)),
    Example(_whole, None, found=Found(("qdq-invalid",)), applies=False, needs=("onnx",)),
)
