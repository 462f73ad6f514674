"""Make nodes and declared opset agree.

What it changes: in an ONNX file with nodes that do not exist in the opset that it declares (Gelu at 18, Unsqueeze with
an axes attribute at 13, Split with num_outputs at 13, Upsample at 11 …) either the declared number, to the nearest one
that has all nodes, or those nodes, which are rewritten for the declared opset. The number is changed first where it
goes up and every other node means the same at both.

When it is wrong: where other nodes are legal at both opsets but mean something else there (Softmax without an axis,
Resize …) the file does not say what was meant; both readings are proposed, and only count when outputs are compared.
A node that exists in no opset is a custom operator: see correct_domains.

Proof: where the number alone changes, the same nodes are there; else nodes are rewritten with the same meaning.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site
from triage.onnxgraph import files, proving, readers, strays, versions, walk
from triage.remedy import Proposal, Refusal

CAUSES = ("model-invalid", "opset-unsupported", "operator-unsupported", "shape-inference-conflict")
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model with strays: change the number, rewrite the nodes, or both."""
    for path, model in files.each(site):
        found = strays.strays(model)
        if not found:
            continue
        limit = readers.highest_opset(site)
        ways = strays.ways(model, limit.version if limit else None, os.path.dirname(site.path(path)))
        for way in ways:
            yield Proposal(
                _words(path, model, found, way), {"model": path, "how": way.how, "opset": way.opset},
                safety=None if way.plain else proving.safe_if_compared(site),
            )  # fmt: skip
        if not ways:
            yield Refusal(
                f"{path}: {found[0].why}, and no opset has all of its nodes",
                f"export the model again at opset {found[0].spans[0][0]} or above",
            )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Changes the number, the nodes, or both."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        try:
            way = strays.Way(parameters["how"], parameters["opset"])
            strays.agree(model, way, os.path.dirname(site.path(path)))
        except versions.Unconvertible as reason:
            raise CannotApply(f"{path}: {reason}") from None


def _words(path: str, model: Any, found: list[strays.Stray], way: strays.Way) -> str:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    was = walk.version_of(model.opset_import)
    how = {
        "stamp": f"declare opset {way.opset} in place of {was}",
        "nodes": f"rewrite {found[0].label}{more} for opset {way.opset}",
        "both": f"convert every other node from opset {was} to {way.opset}",
    }[way.how]
    return f"{path}: {found[0].why}{more}; {how}"


def _model(folder: str, opset: int, *, gelu: bool) -> None:
    import numpy as np
    from onnx import helper, numpy_helper

    shape = [] if gelu else [2]
    old: dict[str, Any] = {} if gelu else {"axes": [1]}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Gelu", ["h"], ["g"], "act") if gelu else helper.make_node("Relu", ["h"], ["g"], "act"),
        helper.make_node("ReduceMean", ["g"], ["y"], "pool", keepdims=0, **old),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, [2, 4])], [helper.make_tensor_value_info("y", 1, shape)],
        [numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3) / 10, "w")],
    )  # fmt: skip
    files.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), f"{folder}/m.onnx"
    )


def _newer(folder: str) -> None:
    _model(folder, 18, gelu=True)


def _older(folder: str) -> None:
    _model(folder, 18, gelu=False)


def _right(folder: str) -> None:
    _model(folder, 17, gelu=False)


def _checked(site: Site, opset: int) -> Any:
    import numpy as np
    import onnx

    model = onnx.load(site.path("m.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert [each.version for each in model.opset_import] == [opset]  # noqa: S101
    return proving.outputs(model, {"x": np.ones((2, 4), np.float32)})[0]


def _after_newer(site: Site) -> None:
    import math

    import numpy as np

    sums = np.arange(12).reshape(4, 3).sum(axis=0) / 10
    wanted = np.mean([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in sums])
    np.testing.assert_allclose(_checked(site, 20), wanted, rtol=1e-5)


def _after_older(site: Site) -> None:
    import numpy as np

    np.testing.assert_allclose(_checked(site, 18), np.full(2, np.arange(12).sum() / 30), rtol=1e-5)


EXAMPLES = (
    Example(_newer, _after_newer, found=Found(("model-invalid",)), needs=("onnx",)),
    Example(_older, _after_older, found=Found(("model-invalid",)), needs=("onnx",)),
    Example(_right, None, applies=False, needs=("onnx",)),
)
