"""Make the quantization symmetric (zero points 0).

What it changes: tensors that are quantized with a zero point other than 0, or in unsigned bytes, where the tool takes
only int8 round 0. Stored integers are shifted by their zero point, unsigned bytes round 128 become signed bytes round
0: both exactly. For other activations QuantizeLinear and all that reads its tensor get the zero point 0 and the
smallest scale at which the old range still fits, so that nothing is cut off. Stored integers that do not fit after the
shift are rounded to a wider step.

When it is wrong: setting zero points to 0 with the old scale cuts off one end of the range; that is never done. The
wider scale makes the steps coarser, up to twice: a small loss that only stands when outputs are compared. Bytes that
are fed, or that anything but DequantizeLinear reads, cannot be changed here. ONNX Runtime needs none of this.

Proof: shifts are exact; a wider scale is compared as the recipe says, within its tolerance.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, proving, quantized, symmetry
from triage.remedy import Proposal, Refusal

CAUSES = ("qdq-invalid", "operator-dtype-unsupported")
SAFETY = "unsafe"
EVIDENT = False

_SAID = re.compile(
    r"(?i)all zeros? values|shiftIsAllZeros|zero shifts|only (?:supports?|takes?) symmetric|non-?zero zero.?point"
    r"|zero.?points?[^\n]{0,80}(?:must|should)(?: all)? be (?:all )?(?:0|zero)|no zero point or all zero"
    r"|quantization type is UINT8|asymmetric quantization|zero.?point[^\n]{0,40}not (?:zero|supported)"
)


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model with asymmetric tensors, where the tool said that it takes none."""
    if not _SAID.search("\n".join((site.log, *site.found.evidence))):
        return
    for path, model in files.each(site):
        found = [group for scope in quantized.scopes(model, _folder(site, path)) for group in symmetry.groups(scope)]
        able, unable = [group for group in found if not group.why], [group for group in found if group.why]
        if unable:
            yield Refusal(
                f"{path}: {unable[0].label} cannot be made symmetric: {unable[0].why}",
                "quantize the model again with symmetric activations and weights",
            )
        elif able:
            exact = all(group.exact for group in able)
            how = "exactly" if exact else "over a range that holds the old one"
            yield Proposal(
                f"{path}: make {len(able)} quantized tensor{'s' if len(able) > 1 else ''} symmetric {how}, "
                f"with int8 and zero point 0 ({able[0].label})",
                {"model": path}, safety="safe" if exact else proving.safe_if_compared(site),
            )  # fmt: skip


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Shifts or widens every asymmetric tensor of the model."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        for scope in list(quantized.scopes(model, _folder(site, path))):
            for group in list(symmetry.groups(scope)):
                if not group.why:
                    symmetry.apply(scope, group)
            scope.close()


def _folder(site: Site, path: str) -> str:
    return os.path.dirname(site.path(path))


_LOG = (
    "[TRT] [E] ModelImporter.cpp: Assertion failed: shiftIsAllZeros(zeroPoint): Non-zero zero point is not supported."
)


def _pair(folder: str, kind: str = "uint8", zero: int = 128) -> None:
    """Y = dequantize(quantize(x)) @ dequantize(w)."""
    import numpy as np
    from onnx import helper, numpy_helper

    arrays = {
        "s": np.float32(0.02), "z": np.array(zero, kind), "w": np.arange(12, dtype=np.uint8).reshape(4, 3),
        "ws": np.array([0.5, 0.25, 1.0], np.float32), "wz": np.array([4, 5, 6], np.uint8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dq"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["f"], "dqw", axis=1),
        helper.make_node("MatMul", ["d", "f"], ["y"], "fc"),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", 1, ["n", 4])], [helper.make_tensor_value_info("y", 1, ["n", 3])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )  # fmt: skip
    files.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), f"{folder}/m.onnx")


def _symmetric(folder: str) -> None:
    import onnx

    _pair(folder, "int8", 0)
    model = onnx.load(f"{folder}/m.onnx")
    del model.graph.node[2]
    model.graph.node[2].input[1] = "v"
    model.graph.initializer.append(onnx.helper.make_tensor("v", 1, [4, 3], [1.0] * 12))
    files.save(model, f"{folder}/m.onnx")


def _after(site: Site) -> None:
    import tempfile

    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(site.path("m.onnx"))
    onnx.checker.check_model(model, full_check=True)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    zeros = [stored[node.input[2]] for node in model.graph.node if node.op_type in quantized.PAIR]
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)  # noqa: S101
    values = np.random.default_rng(0).uniform(-2, 2, size=(5, 4)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        _pair(folder)
        wanted = proving.outputs(f"{folder}/m.onnx", {"x": values})[0]
    np.testing.assert_array_equal(proving.outputs(model, {"x": values})[0], wanted)


EXAMPLES = (
    Example(_pair, _after, found=Found(("qdq-invalid",)), log=_LOG, needs=("onnx",)),
    Example(_symmetric, None, found=Found(("qdq-invalid",)), log=_LOG, applies=False, needs=("onnx",)),
)
