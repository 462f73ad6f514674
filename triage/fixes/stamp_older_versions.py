"""Write an IR version and opset that the tool reads in the script.

What it changes: a script that builds a model with ``onnx.helper`` and does not say which IR version and opset it wants
gets the newest of the installed onnx package. The numbers that the tool reads are written into ``make_model`` and
``make_opsetid``, and put in place of higher ones that stand there.

When it is wrong: where an operator of the model means something else at the lower opset, or does not exist there; then
the number is not touched, for the nodes would have to change too. A model that torch or another exporter writes takes
its opset from there: see lower_opset.

Proof: the same nodes are built; the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, ir, proving, readers, versions, walk
from triage.remedy import Proposal

if TYPE_CHECKING:
    from triage.pysource.calls import CallSite
    from triage.pysource.changes import Changes
    from triage.pysource.flow import Flow

CAUSES = ("ir-version-unsupported", "opset-unsupported")
SAFETY = "safe"
EVIDENT = False

_MODEL = ("onnx.helper.make_model", "onnx.helper.make_model_gen_version")
_OPSET = ("onnx.helper.make_opsetid", "onnx.helper.make_operatorsetid")


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for all scripts of the build."""
    built = list(_built(site))
    highest, newest = readers.highest_ir(site), readers.highest_opset(site)
    told = site.found.causes
    ir_limit = highest.version if highest and _lowers_ir(built, highest.version, told) else None
    opset = newest.version if newest and _lowers_opset(built, newest.version, told) else None
    if ir_limit is None and opset is None:
        return
    from triage.pysource.changes import Changes
    from triage.pysource.exporters import project_flow

    flow = project_flow(site)
    made = Changes(flow.project)
    said = list(_written(flow, made, ir_limit, opset))
    packed = made.packed()
    if packed and said:
        numbers = [f"IR version {ir_limit}"] * bool(ir_limit) + [f"opset {opset}"] * bool(opset)
        yield Proposal(
            f"build the model with {' and '.join(numbers)}: {', '.join(dict.fromkeys(said))}", packed,
            safety=None if built or opset is None else proving.safe_if_compared(site),
        )  # fmt: skip


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the numbers."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _built(site: Site) -> Iterator[Any]:
    """The models that the failing run wrote."""
    from triage.workspace import walk as below

    for path in below(site.built) if site.built else ():
        if path.endswith(".onnx") and not site.has(path):
            try:
                yield files.load(os.path.join(site.built or "", path), weights=False)
            except (ValueError, OSError):
                continue


def _lowers_ir(built: list[Any], limit: int, told: tuple[str, ...]) -> bool:
    """Whether the IR version is to be lowered; where no model was written, the diagnosis decides."""
    newer = [model for model in built if model.ir_version > limit]
    fits = all(first <= limit for model in newer for first, _ in ir.needs(model))
    return fits and (bool(newer) if built else "ir-version-unsupported" in told)


def _lowers_opset(built: list[Any], limit: int, told: tuple[str, ...]) -> bool:
    """The same of the opset, where every node means the same at both."""
    newer = [model for model in built if (walk.version_of(model.opset_import) or 0) > limit]
    fits = all(
        versions.plainly_same(node, walk.version_of(model.opset_import) or limit, limit)
        for model in newer for node in walk.of_domain(walk.nodes(model))
    )  # fmt: skip
    return fits and (bool(newer) if built else "opset-unsupported" in told)


def _written(flow: Flow, made: Changes, ir_limit: int | None, opset: int | None) -> Iterator[str]:
    from triage.pysource import arguments
    from triage.pysource.calls import calls

    for call in calls(flow, _MODEL.__contains__):
        if ir_limit is not None:
            yield from _number(flow, made, call, ("ir_version", None), ir_limit)
            if not call.argument("ir_version") and flow.project.may_change(call.source) and not call.shift:
                arguments.add(call.source, call.node, f"ir_version={ir_limit}")
                yield call.where
        if opset is not None and not call.argument("opset_imports") and flow.project.may_change(call.source):
            maker = _maker(call)
            if maker and not call.shift:
                arguments.add(call.source, call.node, f'opset_imports=[{maker}("", {opset})]')
                yield call.where
    for call in calls(flow, _OPSET.__contains__) if opset is not None else ():
        if call.literal("domain", 0) in ("", "ai.onnx") and opset is not None:
            yield from _number(flow, made, call, ("version", 1), opset)
    if ir_limit is not None:
        yield from _assigned(flow, ir_limit)


def _number(flow: Flow, made: Changes, call: CallSite, argument: tuple[str, int | None], limit: int) -> Iterator[str]:
    """Higher numbers, wherever an argument's value comes from."""
    from triage.pysource import opsets, places

    for one in call.argument(*argument):
        for place in places.of_argument(flow, one):
            if opsets.wrong(place, limit, higher=False) and places.may_change(flow, place):
                made.set(place, limit)
                yield place.name


def _maker(call: CallSite) -> str | None:
    """``make_opsetid`` as this file can call it."""
    text = call.source.code(call.node.func)
    prefix, dot, _ = text.rpartition(".")
    if dot:
        return f"{prefix}.make_opsetid"
    return "make_opsetid" if "make_opsetid" in call.source.data.decode() else None


def _assigned(flow: Flow, limit: int) -> Iterator[str]:
    """``model.ir_version = 14`` in a script."""
    import libcst as cst

    from triage.pysource import places

    for source in flow.project.sources():
        for node in source.find(cst.Assign):
            target = node.targets[0].target
            if not (isinstance(target, cst.Attribute) and target.attr.value == "ir_version"):
                continue
            number = node.value.value if isinstance(node.value, cst.Integer) else ""
            if number.isdigit() and int(number) > limit and flow.project.may_change(source):
                source.replace(node.value, str(limit))
                yield places.Place(int(number), source, node.value).name


_SCRIPT = """import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Relu", ["x"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
)
onnx.save(helper.make_model({arguments}), "model.onnx")
"""


def _script(folder: str, arguments: str = "graph, ir_version=14") -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(arguments=arguments))


def _no_script(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write("print('loads model.onnx, which comes from elsewhere')\n")


_LOG = "Load model from model.onnx failed: Unsupported model IR version: 14, max supported IR version: 13"


def _after(site: Site) -> None:
    import subprocess
    import sys

    import onnx

    subprocess.run([sys.executable, "build.py"], cwd=site.root, check=True)
    assert onnx.load(site.path("model.onnx")).ir_version == 13  # noqa: S101


EXAMPLES = (
    Example(_script, _after, found=Found(CAUSES[:1]), log=_LOG, needs=("onnx",)),
    Example(_no_script, None, found=Found(CAUSES[:1]), log=_LOG, applies=False, needs=("onnx",)),
)
