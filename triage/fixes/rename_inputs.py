"""Rename inputs and outputs of the model so that both sides agree.

What it changes: names of inputs or outputs of the ONNX model, to those that the caller uses; the graph inside reads
and writes the same tensors. Only where the pairing is certain: names that differ in case, separators, a prefix or a
suffix such as ``:0``; one name missing and one too many; or types and shapes that leave one way.

When it is wrong: an input that the export dropped is not the same as one with another name. Names that speak of
different things (a mask, token types, positions) are never paired. Where several pairings are possible nothing is
guessed. If other callers use the old names, change the caller instead.

Proof: outputs compared with the reference. Without a check in the recipe, pairings by anything but the names
themselves are unsafe.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triage.fixes import Example, Found, Site
from triage.onnxgraph import feeds, files, match, proving, recast
from triage.onnxgraph.flow import declared_type
from triage.remedy import Proposal, Refusal

CAUSES = ("input-name-mismatch",)
SAFETY = "safe"
_LISTS = re.compile(r"Required inputs \((\[[^\]]{0,4000}\])\) are missing from input feed \((\[[^\]]{0,4000}\])\)")
_INPUT = re.compile(r"[Ii]nvalid (?:[Ff]eed )?[Ii]nput [Nn]ames?: ?(?P<name>[^\s,]+)")
_OUTPUT = re.compile(r"[Ii]nvalid [Oo]utput [Nn]ames?: ?(?P<name>[^\s,]+)")


class Sides(NamedTuple):
    """Names that only the model has, names that only the caller has, and what is known of the caller's arrays."""

    ours: Sequence[str]
    theirs: Sequence[str]
    arrays: Mapping[str, Any]


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model: the pairing of its inputs with what is fed, or of its outputs with what is asked for."""
    for path, model in files.each(site):
        for kind, sides, values in _sides(site, model):
            pairing = match.pair(sides.ours, sides.theirs, _fits(values, sides.arrays))
            if pairing:
                told = ", ".join(f"{old} to {new}" for old, new in pairing.pairs.items())
                safety = None if pairing.alike or proving.compared(site) else "unsafe"
                parameters = {"model": path, kind: pairing.pairs}
                yield Proposal(f"rename the {kind} of {path}: {told}", parameters, safety)
            elif sides.ours and sides.theirs:
                ours, theirs = ", ".join(sides.ours), ", ".join(sides.theirs)
                why = f"the {kind} of {path} ({ours}) and those of the caller ({theirs}) cannot be paired for certain"
                yield Refusal(why, "feed the names that the model has, or export it with the names that are fed")


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the caller's names."""
    with files.edit(site, parameters["model"]) as model:
        recast.rename_ports(model, "input", parameters.get("inputs", {}))
        recast.rename_ports(model, "output", parameters.get("outputs", {}))


def _sides(site: Site, model: Any) -> Iterator[tuple[str, Sides, Mapping[str, Any]]]:
    inputs = feeds.inputs(model)
    found = _fed(site, inputs)
    if found:
        yield "inputs", found, inputs
    asked = _OUTPUT.search(site.log)
    name = asked["name"] if asked else site.found.captures.get("output")
    outputs = {value.name: value for value in model.graph.output}
    if name and name not in outputs and not found:
        wanted = next((each for each in _asked(site) if name in each), [name])
        ours = [each for each in outputs if each not in wanted]
        theirs = [each for each in wanted if each not in outputs]
        yield "outputs", Sides(ours, theirs, {}), outputs


def _fed(site: Site, inputs: Mapping[str, Any]) -> Sides | None:
    """The two sides of the inputs, as log and stored feeds tell them."""
    match_ = _LISTS.search(site.log)
    told = _list(match_[2]) if match_ else []
    single = _INPUT.search(site.log)
    name = single["name"] if single else site.found.captures.get("input", "")
    stored = [each for each in feeds.archives(site) if set(told or [name]) <= set(each.arrays)]
    arrays = stored[0].arrays if stored else {}
    if not told and not name:
        return None
    fed = told or (list(arrays) if arrays else [str(name)])
    ours = [each for each in inputs if each not in fed]
    theirs = [each for each in fed if each not in inputs]
    return Sides(ours, theirs, arrays) if ours and theirs else None


def _list(text: str) -> list[str]:
    try:
        return [str(each) for each in ast.literal_eval(text)]
    except (ValueError, SyntaxError):
        return []


def _asked(site: Site) -> Iterator[list[str]]:
    """Lists of output names that the build's scripts hand to ``run``."""
    for text in feeds.scripts(site):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr == "run" and isinstance(first, ast.List):
                    yield [str(each.value) for each in first.elts if isinstance(each, ast.Constant)]


def _fits(values: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
    """Compares what an input is declared as with the array that is fed."""

    def fits(ours: str, theirs: str) -> bool | None:
        array = arrays.get(theirs)
        if array is None:
            return None
        type_ = values[ours].type.tensor_type
        sizes = [dim.dim_value for dim in type_.shape.dim] if type_.HasField("shape") else None
        same_rank = sizes is None or len(sizes) == array.ndim
        fixed = same_rank and all(
            not size or size == real for size, real in zip(sizes or (), array.shape, strict=False)
        )
        return fixed and feeds.element_of(array) == declared_type(values[ours])

    return fits


def _renamed(name: str, *, mask: bool = False) -> Any:
    def before(folder: str) -> None:
        import numpy as np

        from triage.onnxgraph.samples import two_layers

        model = two_layers()
        recast.rename_ports(model, "input", {"input": "attention_mask" if mask else "input"})
        files.save(model, f"{folder}/model.onnx")
        np.savez(f"{folder}/feeds.npz", **{name: np.zeros((2, 8), dtype=np.float32)})

    return before


def _after(site: Site) -> None:
    import onnx

    model = onnx.load(site.path("model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["Input:0"]  # noqa: S101


_FOUND = Found(causes=("input-name-mismatch",))
_LOG = "ValueError: Required inputs (['{}']) are missing from input feed (['{}'])."
EXAMPLES = (
    Example(_renamed("Input:0"), _after, log=_LOG.format("input", "Input:0"), needs=("onnx",)),
    Example(
        _renamed("token_type_ids", mask=True), None, log=_LOG.format("attention_mask", "token_type_ids"),
        applies=False, needs=("onnx",),
    ),
)  # fmt: skip
