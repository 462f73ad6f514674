"""Correct the form of scales and zero points.

What it changes: parameters of QuantizeLinear, DequantizeLinear and the quantized operators (QLinearConv, QLinearMatMul,
MatMulInteger …) whose form breaks the rules while their values are sound: a scale of shape [4, 1] in place of [4], a
zero point of another shape than its scale or of another type than its tensor, a scale in double or half where float
is wanted, an axis whose length is not the number of scales, an output_dtype beside a zero point of another type, a
scale of 0 for a channel whose values are all at the zero point.

When it is wrong: where a value does not fit the right type, where scales are negative or no numbers, or where no axis
has their number, nothing can be said for certain and it is refused. Where several readings fit (two axes of one
length, two types for one tensor) each is proposed, and only counts when outputs are compared.

Proof: the values stay the same; the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, proving, qparameters, quantized
from triage.remedy import Proposal, Refusal

CAUSES = ("qdq-invalid", "type-inference-conflict", "runtime-shape-conflict", "model-invalid")
SAFETY = "safe"
EVIDENT = True

_MOST_WAYS = 3
_NAMED = re.compile(r"QuantizeLinear|DequantizeLinear|QLinear\w+|MatMulInteger|ConvInteger")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each model and reading."""
    for path, model in files.each(site):
        if not quantized.there(model):
            continue
        found = _mend(site, path, model, 0)
        for way in range(min(found.ways, _MOST_WAYS) if found.done and not found.fatal else 0):
            told = found if way == 0 else _mend(site, path, model, way)
            more = f" (and {len(told.done) - 1} more)" if len(told.done) > 1 else ""
            yield Proposal(
                f"{path}: {told.done[0]}{more}", {"model": path, "way": way, "strict": _strict(site)},
                safety=None if found.exact else proving.safe_if_compared(site), guess=found.ways > 1,
            )  # fmt: skip
        if found.broken and ("qdq-invalid" in site.found.causes or _NAMED.search(site.log)):
            yield Refusal(
                f"{path}: {found.broken[0]}, and nothing in the file says what it should be",
                "quantize the model again",
            )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Mends the model."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        qparameters.mend(model, os.path.dirname(site.path(path)), parameters["way"], strict=parameters["strict"])


def _mend(site: Site, path: str, model: Any, way: int) -> qparameters.Outcome:
    copy = type(model)()
    copy.CopyFrom(model)
    return qparameters.mend(copy, os.path.dirname(site.path(path)), way, strict=_strict(site))


def _strict(site: Site) -> bool:
    """A scale of 0 or below is only in the way of some tools, which say so."""
    return "qdq-invalid" in site.found.causes


def _weights(folder: str, scale: Any, zero: Any, axis: int = 0) -> None:
    """Y = x @ dequantize(w), with 3 channels on axis 1 of w."""
    import numpy as np
    from onnx import helper, numpy_helper

    values = np.arange(-6, 6, dtype=np.int8).reshape(4, 3)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], "dq", axis=axis),
        helper.make_node("MatMul", ["x", "f"], ["y"], "fc"),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", 1, ["n", 4])], [helper.make_tensor_value_info("y", 1, ["n", 3])],
        [numpy_helper.from_array(array, name) for name, array in (("w", values), ("s", scale), ("z", zero))],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    files.save(model, f"{folder}/model.onnx")


def _wrong_everything(folder: str) -> None:
    import numpy as np

    _weights(folder, np.array([[0.5], [0.25], [1.0]]), np.zeros((), np.uint8))


def _value_does_not_fit(folder: str) -> None:
    import numpy as np

    _weights(folder, np.full(3, 0.5, np.float32), np.full(3, 200, np.uint8), axis=1)


def _after(site: Site) -> None:
    import numpy as np
    import onnx

    model = onnx.load(site.path("model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    given = proving.outputs(model, {"x": np.ones((1, 4), np.float32)})[0]
    wanted = np.arange(-6, 6).reshape(4, 3).sum(axis=0) * [0.5, 0.25, 1.0]
    np.testing.assert_allclose(given, wanted[None].astype(np.float32))


EXAMPLES = (
    Example(_wrong_everything, _after, found=Found(("qdq-invalid",)), needs=("onnx",)),
    Example(_value_does_not_fit, None, found=Found(("qdq-invalid",)), applies=False, needs=("onnx",)),
)
