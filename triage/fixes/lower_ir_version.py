"""Lower the model's IR version.

What it changes: the number of the file format (``ir_version``) of the ONNX file, to what the tool reads: the log says
it, or the table of releases. What goes with it is done too: below IR 8 local functions are written into the graph,
below IR 4 initializers are listed as inputs. Operators, weights and the opset stay as they are.

When it is wrong: element types that came later (FP8 with IR 9, INT4 with IR 10, FP4 with IR 11 …) cannot be said in an
older file; then it is refused. An opset that is too new as well is named by the tool only afterwards: see
convert_opset.

Proof: nothing that is computed changes; the outputs are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site
from triage.onnxgraph import files, ir, proving, readers
from triage.remedy import Proposal, Refusal

CAUSES = ("ir-version-unsupported",)
SAFETY = "safe"
EVIDENT = True

_LADDER = (10, 8, 7)  # tried where nothing tells what the tool reads


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for the models that are too new, for each version that the tool may read."""
    if not set(site.found.causes) & set(CAUSES) and not readers.says_ir(site):
        return
    limit = readers.highest_ir(site)
    targets = [(limit.version, limit.who)] if limit else [(version, "a guess") for version in _LADDER]
    models = list(files.each(site))
    for target, who in targets:
        newer = {path: model for path, model in models if model.ir_version > target}
        refused = {path: what for path, model in newer.items() if (what := _missing(model, target))}
        for path, what in refused.items():
            yield Refusal(
                f"{path} uses {what}, which IR version {target} does not have",
                "use a release of the tool that reads it, or quantize to a type that the tool has",
            )
        for paths in proving.named_first(site, [path for path in newer if path not in refused]):
            told = ", ".join(f"{path} from IR version {newer[path].ir_version}" for path in paths)
            yield Proposal(f"lower {told} to {target} ({who})", {"models": paths, "ir": target})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Sets the IR version of the models."""
    for path in parameters["models"]:
        with files.edit(site, path) as model:
            try:
                ir.lower(model, parameters["ir"])
            except ValueError as reason:
                raise CannotApply(f"{path}: {reason}") from None


def _missing(model: Any, target: int) -> str:
    return next((what for first, what in ir.needs(model) if first > target), "")


_LOG = "Load model from model.onnx failed: Unsupported model IR version: {}, max supported IR version: 7"


def _too_new(folder: str, *, kind: int = 1) -> None:
    """IR 12 with a local function, which IR 7 does not know."""
    import numpy as np
    from onnx import helper, numpy_helper

    opset = [helper.make_opsetid("", 13), helper.make_opsetid("local", 1)]
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], opset[:1]
    )
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Twice", ["h"], ["y"], domain="local")], "g",
        [helper.make_tensor_value_info("x", 1, ["batch", 4])], [helper.make_tensor_value_info("y", 1, ["batch", 3])],
        [numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3), "w")],
    )  # fmt: skip
    if kind != 1:
        graph.initializer.append(helper.make_tensor("spare", kind, [2], [1, 2]))
    files.save(helper.make_model(graph, opset_imports=opset, functions=[twice], ir_version=12), f"{folder}/model.onnx")


def _four_bits(folder: str) -> None:
    from onnx import TensorProto

    _too_new(folder, kind=TensorProto.INT4)


def _after(site: Site) -> None:
    import numpy as np
    import onnx

    model = onnx.load(site.path("model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7  # noqa: S101
    assert not model.functions  # noqa: S101
    values = np.ones((2, 4), np.float32)
    given = proving.outputs(model, {"x": values})[0]
    np.testing.assert_array_equal(given, 2 * values @ np.arange(12, dtype=np.float32).reshape(4, 3))


EXAMPLES = (
    Example(_too_new, _after, log=_LOG.format(12), needs=("onnx",)),
    Example(_four_bits, None, log=_LOG.format(12), found=Found(CAUSES), applies=False, needs=("onnx",)),
)
