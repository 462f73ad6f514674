"""Correct declared types and shapes that contradict the graph.

What it changes: the element type or the rank and fixed sizes that an output of the ONNX model declares, where its
nodes certainly give others; stored types and shapes of tensors inside that are no longer true are forgotten. Nodes
and weights stay as they are. A second way keeps the declared type of an output and casts to it.

When it is wrong: where the graph itself is at fault and the declaration tells what was meant, such as a last layer
of another size. Then the outputs differ from the reference.

Proof: the nodes are the same, so the numbers are; outputs are compared all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import elements, files, recast, stale
from triage.onnxgraph.flow import declared_type
from triage.remedy import Proposal

CAUSES = ("type-inference-conflict", "shape-inference-conflict", "model-invalid")
SAFETY = "safe"
EVIDENT = True
_TOLD = 3
_REQUIRED = re.compile(r"'(?:type|elem_type|shape)' of '\w+' is required")


def propose(site: Site) -> Iterator[Proposal]:
    """A model with a wrong declaration; wrong shapes only where the failure is of that kind."""
    blamed = bool(set(CAUSES) & set(site.found.causes))
    for path, model in files.each(site):
        asked = blamed and bool(_REQUIRED.search(site.log))
        wanted = {"type": True, "shape": blamed, "missing": asked}
        found = [each for each in stale.find(model) if wanted[each.kind]]
        if not found:
            continue
        told = "; ".join(each.told for each in found[:_TOLD])
        more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        yield Proposal(f"correct what {path} declares: {told}{more}", {"model": path, "cast": []})
        outputs = [each.value for each in found if any(each.value is output for output in model.graph.output)]
        kept = [value.name for value in outputs if declared_type(value) and _castable(found, value)]
        if kept:
            what = f"cast {', '.join(kept)} to the declared type in {path}"
            yield Proposal(what, {"model": path, "cast": kept})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with true declarations."""
    with files.edit(site, parameters["model"]) as model:
        found = stale.find(model)
        told = {each.value.name: declared_type(each.value) for each in found if each.value.name in parameters["cast"]}
        stale.correct(found)
        stale.correct(stale.find(model))  # an output with a wrong type may have a wrong shape too
        for name, element in told.items():
            recast.give(model, name, element or elements.FLOAT)


def _castable(found: list[stale.Stale], value: Any) -> bool:
    have = next(each.truth for each in found if each.value is value).tensor_type.elem_type
    told = declared_type(value) or 0
    return bool(have != told and elements.is_float(told) and have in elements.WIDEST)


def _declared(element: int, sizes: list[Any]) -> Any:
    def before(folder: str) -> None:
        from onnx import helper

        from triage.onnxgraph.samples import two_layers

        model = two_layers()
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", element, sizes))
        model.graph.value_info.append(helper.make_tensor_value_info("h1", element, ["batch", 16]))
        files.save(model, f"{folder}/model.onnx")

    return before


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    (output,) = onnx.load(site.path("model.onnx")).graph.output
    assert output.type.tensor_type.elem_type == elements.FLOAT  # noqa: S101
    assert [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] == ["batch", 3]  # noqa: S101


_FOUND = Found(causes=("type-inference-conflict",))
EXAMPLES = (
    Example(_declared(elements.INT64, ["batch", 3]), _after, found=_FOUND, needs=("onnx",)),
    Example(_declared(elements.FLOAT, ["batch", 7]), _after, found=_FOUND, needs=("onnx",)),
    Example(_declared(elements.FLOAT, ["rows", 3]), None, found=_FOUND, applies=False, needs=("onnx",)),
)
