"""Convert the model to an opset that the tool reads.

What it changes: the nodes of the ONNX file and the opset that it declares, up or down to the nearest one that the
tool at the other end reads: the log says which, or the tables of versions do. Nodes that mean the same at both are
kept. Where the form changed (axes as input or attribute, Split, Clip, Pad, Softmax, Resize, Dropout …) the node is
rewritten with the same meaning; an operator that the older opset lacks is written out in the simpler operators of its
own definition. Nested graphs and local functions are converted too; weights are not touched. The domains ai.onnx.ml
and com.microsoft are only relabelled, and only where their operators are the same.

When it is wrong: operators with no equal at the target (CumProd, BitCast, Trilu …), values that are only known at run
time where an attribute is wanted, types that the older definition does not take. Then nothing is changed and the
refusal names the nodes. An opset that no installed onnx package defines yet is read as the newest known one, which
only counts when outputs are compared. TensorRT gives no opset error: there the table of its versions decides.

Proof: operators written out may differ in the last digits; the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import CannotApply, Example, Found, Site
from triage.onnxgraph import files, proving, readers, schemas, types, versions, walk
from triage.remedy import Proposal, Refusal

CAUSES = ("opset-unsupported", "operator-unsupported", "operator-dtype-unsupported")
SAFETY = "safe"
EVIDENT = True

_ML, _CONTRIB = "ai.onnx.ml", "com.microsoft"
_LADDER = (21, 17, 13)  # tried where nothing tells what the tool reads


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each opset that fits, for the models that are out of its range."""
    if not set(site.found.causes) & set(CAUSES) and not (readers.says_highest(site) or readers.says_lowest(site)):
        return
    models = list(files.each(site))
    yield from _other_domains(site, models)
    for target in _targets(site):
        yield from _to(site, models, target)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Converts the models."""
    for path in parameters["models"]:
        with files.edit(site, path) as model:
            try:
                _convert(model, parameters["domain"], parameters["opset"], _folder(site, path))
            except versions.Unconvertible as reason:
                raise CannotApply(f"{path}: {reason}") from None


class _Target(NamedTuple):
    """An opset to reach, who says it, and which models are on the wrong side: newer, older or any."""

    opset: int
    who: str
    side: str

    def wants(self, opset: int) -> bool:
        """Whether a model at an opset is to be converted."""
        return opset != self.opset and (self.side == "any" or (opset > self.opset) == (self.side == "newer"))


def _targets(site: Site) -> Iterator[_Target]:
    """Opsets to reach, the best first."""
    highest, lowest = readers.highest_opset(site), readers.lowest_opset(site)
    wanted = list(_asked_by_scripts(site))
    for version in wanted:
        yield _Target(version, "what the script converts to", "any")
    if highest:
        yield _Target(highest.version, highest.who, "newer")
    if lowest:
        yield _Target(lowest.version, lowest.who, "older")
    if not highest and not lowest and not wanted and "opset-unsupported" in site.found.causes:
        for version in _LADDER:
            yield _Target(version, "a guess, for the log does not say what the tool reads", "newer")


def _asked_by_scripts(site: Site) -> Iterator[int]:
    """Targets that a script of the build gives to onnx.version_converter, which could not reach them."""
    if not re.search(r"No Adapter|No Previous Version|version_converter|being converted from", site.log):
        return
    for path in site.listing:
        if path.endswith(".py") and any(path == word or word.endswith("/" + path) for word in site.command):
            yield from sorted(set(_converter_targets(site.text(path))))


def _converter_targets(text: str) -> Iterator[int]:
    """Plain numbers that calls of convert_version are given as their target."""
    import ast

    try:
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return
    for call in calls:
        if ast.unparse(call.func).rpartition(".")[2] != "convert_version":
            continue
        named = [word.value for word in call.keywords if word.arg == "target_version"]
        for value in named or call.args[1:2]:
            if isinstance(value, ast.Constant) and isinstance(value.value, int):
                yield value.value


def _to(site: Site, models: list[tuple[str, Any]], target: _Target) -> Iterator[Proposal | Refusal]:
    found: dict[str, int] = {}
    refused = []
    for path, model in models:
        opset = _opset(model)
        if opset is None or not target.wants(opset):
            continue
        try:
            _convert(types.light_copy(model), "", target.opset, _folder(site, path))
        except versions.Unconvertible as reason:
            refused.append(Refusal(
                f"{path} is at opset {opset} and cannot be brought to {target.opset}: {reason}",
                f"export the model at opset {target.opset}, or use a release of the tool that reads opset {opset}",
            ))  # fmt: skip
        else:
            found[path] = opset
    for paths in proving.named_first(site, list(found)):
        told = ", ".join(f"{path} from opset {found[path]}" for path in paths)
        unknown = max(found[path] for path in paths) > schemas.newest()
        yield Proposal(
            f"convert {told} to opset {target.opset} ({target.who})",
            {"models": paths, "opset": target.opset, "domain": ""},
            safety=proving.safe_if_compared(site) if unknown else None,
        )
    yield from refused


def _other_domains(site: Site, models: list[tuple[str, Any]]) -> Iterator[Proposal | Refusal]:
    for domain in (_ML, _CONTRIB):
        limit = readers.highest_opset(site, domain)
        if not limit:
            continue
        for path, model in models:
            opset = walk.version_of(model.opset_import, domain)
            if opset is None or opset <= limit.version:
                continue
            try:
                _convert(types.light_copy(model), domain, limit.version, _folder(site, path))
            except versions.Unconvertible as reason:
                yield Refusal(f"{path} is at opset {opset} of {domain}, and the tool reads {limit.version}: {reason}")
            else:
                yield Proposal(
                    f"bring {path} from opset {opset} of {domain} to {limit.version} ({limit.who})",
                    {"models": [path], "opset": limit.version, "domain": domain},
                )


def _opset(model: Any) -> int | None:
    """The highest opset of ai.onnx that the model or one of its functions declares."""
    found = [walk.version_of(holder.opset_import) for holder in (model, *model.functions)]
    return max((each for each in found if each), default=None)


def _convert(model: Any, domain: str, target: int, folder: str) -> None:
    if domain == _ML:
        versions.convert_ml(model, target)
    elif domain:
        for holder in (model, *model.functions):
            if walk.version_of(holder.opset_import, domain) is not None:
                walk.set_version(holder, domain, target)
    else:
        try:
            versions.convert(types.light_copy(model), target, folder=folder)
        except versions.Unconvertible:
            if not model.functions:
                raise
            versions.inline_functions(model)
        versions.convert(model, target, folder=folder)


def _folder(site: Site, path: str) -> str:
    return os.path.dirname(site.path(path))


_SAYS = (
    "Load model from model.onnx failed: ONNX Runtime only *guarantees* support for models stamped with official "
    "released onnx opset versions. Opset 21 is under development and support for this is limited."
    " Current official support for domain ai.onnx is till opset {}."
)


def _normalised(folder: str, opset: int = 21) -> None:
    """Operators whose form changed between 11 and 21, and one that is new: LayerNormalization."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale"], ["n"], "norm"),
        helper.make_node("ReduceMean", ["n", "axes"], ["m"], "mean", keepdims=0),
        helper.make_node("Unsqueeze", ["m", "axes"], ["u"], "wide"),
        helper.make_node("Softmax", ["u"], ["s"], "soft", axis=0),
        helper.make_node("Clip", ["s", "low"], ["y"], "clip"),
    ]
    graph = helper.make_graph(
        nodes, "normalised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 1])],
        [numpy_helper.from_array(np.linspace(0.5, 2, 8, dtype=np.float32), "scale"),
         numpy_helper.from_array(np.array([1]), "axes"), numpy_helper.from_array(np.array(0.05, np.float32), "low")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    files.save(model, f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import tempfile

    import numpy as np
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    model = onnx.load(site.path("model.onnx"))
    assert [each.version for each in model.opset_import] == [11]  # noqa: S101
    values = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        _normalised(folder)
        wanted = proving.outputs(f"{folder}/model.onnx", {"x": values})
    onnx.version_converter.convert_version(model, 13)  # a second opinion: it reads what was written
    given = proving.outputs(onnx.version_converter.convert_version(model, 18), {"x": values})
    np.testing.assert_allclose(given[0], wanted[0], rtol=1e-5, atol=1e-6)


EXAMPLES = (
    Example(_normalised, _after, found=Found(("opset-unsupported",)), log=_SAYS.format(11), needs=("onnx",)),
    Example(
        _normalised, None, found=Found(("opset-unsupported",)), log=_SAYS.format(21), applies=False, needs=("onnx",)
    ),
)
