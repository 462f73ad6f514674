"""Cast INT64 tensors to INT32 where the values fit.

What it changes: stored int64 numbers, Casts to int64 and declared int64 inputs and outputs become int32, where the
operators take int32; what ONNX wants as int64 (the shape of a Reshape) stays. Ends of a Slice that mean *to the
end* become the largest int32.

When it is wrong: numbers beyond the range of int32 (hashes, times in nanoseconds) do not fit; then nothing is done,
and it is said which. Ids that a caller sends must fit too.

Proof: outputs compared with the reference; whole numbers that fit are the same in both types.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import agree, elements, feeds, files, flow, narrow, recast, walk
from triage.remedy import Proposal, Refusal

CAUSES = ("operator-dtype-unsupported", "kernel-implementation-missing")
SAFETY = "safe"
_SAID = re.compile(
    r"(?i)int64[^\n]{0,120}(?:not|un)[ -]?support|(?:not|un)[ -]?support[^\n]{0,120}int64|only supports? INT32|"
    r"must (?:be|have type) (?:DataType::k)?int32"
)
_TO_THE_END = 1 << 62


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """A model with int64 where the log says that int64 is not taken."""
    said = _SAID.search("\n".join(site.found.evidence) or site.log)
    if not said or not set(CAUSES) & set(site.found.causes):
        return
    for path, model in files.each(site):
        if not narrow.holds(model, elements.INT64):
            continue
        lost = _lost(model, os.path.dirname(site.path(path)))
        fed = feeds.sent(site, feeds.inputs(model))
        sent = [name for name, array in fed.items() if feeds.element_of(array) == elements.INT64]
        if lost:
            yield Refusal(f"{path} cannot become int32: {lost}", "use a consumer that takes int64")
            continue
        ports = [*model.graph.input, *model.graph.output]
        kept = [value.name for value in ports if flow.declared_type(value) == elements.INT64]
        inner = Proposal(
            f"compute {path} with int32, its inputs and outputs as they are", {"model": path, "keep": kept}
        )
        if not _changes(model, os.path.dirname(site.path(path))):
            continue
        whole = Proposal(f"turn int64 into int32 in {path}", {"model": path, "keep": []})
        yield from (inner, whole) if sent and site.found.tool != "tensorrt" else (whole, inner) if kept else (whole,)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with int32 where the operators allow it."""
    folder = os.path.dirname(site.path(parameters["model"]))
    with files.edit(site, parameters["model"]) as model:
        _narrow(model, folder, parameters["keep"])


def _narrow(model: Any, folder: str, keep: Collection[str]) -> None:
    narrow.narrow(model, elements.INT64, elements.INT32, folder, keep)
    plan = agree.Plan(model, agree.POLICIES[0], folder)  # what must stay int64 becomes it again
    recast.carry_out(model, plan.edits(), folder)


def _changes(model: Any, folder: str) -> bool:
    """Says whether there is anything that may become int32; the model is spent afterwards."""
    before = model.SerializeToString(deterministic=True)
    _narrow(model, folder, ())
    return bool(before != model.SerializeToString(deterministic=True))


def _lost(model: Any, folder: str) -> str | None:
    """The first stored number that does not fit; one that means *to the end* of a Slice does."""
    slices = {name for node in walk.nodes(model) if node.op_type == "Slice" for name in node.input[1:3]}
    others = {name for node in walk.nodes(model) if node.op_type != "Slice" for name in node.input}
    for name, tensor in _stored(model):
        if tensor.data_type != elements.INT64:
            continue
        values = recast.array(tensor, folder)
        if name in slices - others:
            values = values[abs(values.astype(float)) < _TO_THE_END]
        why = elements.loss(values, elements.INT32)
        if why:
            return f"{name}: {why}"
    return None


def _stored(model: Any) -> Iterator[tuple[str, Any]]:
    for graph in walk.graphs(model):
        for tensor in graph.initializer:
            yield tensor.name, tensor
    for node in walk.nodes(model):
        constant = flow.constant_of(node)
        if constant is not None:
            yield node.output[0], constant


def _ids(largest: int) -> Any:
    """Ids, moved by an offset and cut to a length, look up rows of a table."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Add", ["ids", "offset"], ["moved"], "move"),
        helper.make_node("Slice", ["moved", "start", "end", "axis"], ["cut"], "cut"),
        helper.make_node("Gather", ["table", "cut"], ["rows"], "look"),
        helper.make_node("Reshape", ["rows", "shape"], ["y"], "shape"),
    ]
    stored = {
        "offset": np.array([largest]), "start": np.array([1]), "end": np.array([2**63 - 1]), "axis": np.array([1]),
        "shape": np.array([0, -1]), "table": np.arange(20, dtype=np.float32).reshape(10, 2),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "ids",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "width"])],
        [numpy_helper.from_array(values, name) for name, values in stored.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _before(folder: str) -> None:
    files.save(_ids(1), f"{folder}/model.onnx")


def _too_large(folder: str) -> None:
    files.save(_ids(1 << 40), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    ids = np.array([[0, 3, 5], [1, 1, 8]])
    want: Any = next(iter(ReferenceEvaluator(_ids(1)).run(None, {"ids": ids})))
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"ids": ids.astype(np.int32)})))
    np.testing.assert_array_equal(got, want)


_FAILED = '[8] Assertion failed: indicesInt32 && "This version of TensorRT only supports INT32 input indices."'
_FOUND = Found(causes=("operator-dtype-unsupported",), evidence=(_FAILED,), tool="tensorrt")
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_FAILED, needs=("onnx",)),
    Example(_too_large, None, found=_FOUND, log=_FAILED, applies=False, needs=("onnx",)),
)
