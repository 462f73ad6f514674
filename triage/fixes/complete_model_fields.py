"""Fill in fields of the model file that must not be empty.

What it changes: a graph without a name gets one; a model without an IR version gets the lowest that its opset
needs; an old file whose initializers are not listed as inputs gets IR version 4, which allows that; a tensor that
stores the same values twice keeps one copy.

When it is wrong: a tensor with two different sets of values is not touched, for which is meant stands nowhere.

Proof: none of these fields takes part in what the model computes; outputs are compared all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, liveness, walk
from triage.remedy import Proposal

CAUSES = ("model-invalid", "initializer-required")
SAFETY = "safe"
_VALUES = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def propose(site: Site) -> Iterator[Proposal]:
    """A model with empty fields."""
    for path, model in files.each(site):
        told = _complete(model)
        if told:
            yield Proposal(f"fill in {path}: {'; '.join(told)}", {"model": path})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with its fields filled in."""
    with files.edit(site, parameters["model"]) as model:
        _complete(model)


def _complete(model: Any) -> list[str]:
    """Mends the model in place and says what was done."""
    from onnx import helper

    told = []
    if model.ir_version <= 0 and model.opset_import:
        model.ir_version = helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
        told.append("it has no IR version")
    listed = {value.name for value in model.graph.input}
    loose = [tensor.name for tensor in model.graph.initializer if tensor.name not in listed]
    if loose and 0 < model.ir_version < 4:
        model.ir_version = 4
        told.append(f"{loose[0]} is no input, as IR versions below 4 want it")
    for number, graph in enumerate(walk.graphs(model)):
        if not graph.name:
            graph.name = f"graph_{number}" if number else "main_graph"
            told.append("a graph has no name")
    return told + [f"{tensor.name} stores its values twice" for tensor in walk.tensors(model) if _single(tensor)]


def _single(tensor: Any) -> bool:
    """Drops a second copy of a tensor's values; False where there is none, or it differs."""
    from onnx import numpy_helper

    more = [field for field in _VALUES if len(getattr(tensor, field))]
    if not tensor.HasField("raw_data") or not more:
        return False
    plain = type(tensor)()
    plain.CopyFrom(tensor)
    plain.ClearField("raw_data")
    raw = type(tensor)()
    raw.CopyFrom(tensor)
    for field in more:
        raw.ClearField(field)
    try:
        same = numpy_helper.to_array(plain).tobytes() == numpy_helper.to_array(raw).tobytes()
    except liveness.UNREADABLE:  # what cannot be read is not known to be the same
        return False
    if same:
        tensor.CopyFrom(raw)
    return bool(same)


def _before(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    model.graph.name = ""
    files.save(model, f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)


def _whole(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


_FOUND = Found(causes=("model-invalid",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, needs=("onnx",)),
    Example(_whole, None, found=_FOUND, applies=False, needs=("onnx",)),
)
