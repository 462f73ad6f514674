"""Use the other exporter of torch.onnx.

What it changes: the exporter that torch.onnx.export uses, by its argument dynamo. With it go the arguments that belong
to one exporter: dynamic_axes and dynamic_shapes, the opset where the other one does not write it, and a result that is
saved afterwards.

When it is wrong: tracing follows one path through the model's Python code. Where torch.export refused a branch on
values, tracing freezes it: that is unsafe whatever the recipe checks, for its feeds may all take the one path; a branch
that only raises or warns loses nothing. A ScriptModule cannot go through torch.export.

Proof: the outputs of the newly exported model are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = (
    "export-op-unsupported",
    "export-internal-error",
    "export-opset-too-low",
    "export-data-dependent-control-flow",
    "export-dynamic-shape-conflict",
    "export-untracked-tensor",
    "export-trace-mismatch",
    "opset-unsupported",
    "runtime-shape-conflict",
    "output-mismatch",
    "configuration-error",
    "unknown",
)
SAFETY = "safe"

_MIXED = "dynamic shapes through parameter dynamic_axes when dynamo=False"
_TRACED = re.compile(r"TracerWarning|Trace had nondeterministic nodes|might cause the trace to be incorrect")
_BRANCH = re.compile(
    r"GuardOnDataDependentSymNode|Could not (?:guard on|extract specialized integer from) data-dependent"
    r"|[Dd]ata-dependent (?:branching|expression|control)|dynamic control flow|Dynamic control flow"
)
_NUMBER = re.compile(r"Could not extract specialized integer from data-dependent")
_HARMLESS = re.compile(r"raise\b|pass\b|print\(|warnings\.warn\(|assert\b|(?:self\.)?_?log(?:ger|ging)?\.\w+\(")
_OPERATORS = (
    re.compile(r"Exporting the operator '([\w:.]+)'"), re.compile(r"<OpOverload\(op='([\w.:]+)'"),
    re.compile(r"ONNX export failed: Couldn't export (?:operator|Python operator) ([\w:]+)"),
)  # fmt: skip
_KNOWN = (
    "aten",
    "prim",
    "prims",
    "torchvision",
    "onnx",
    "quantized",
    "quantized_decomposed",
    "symbolic",
    "higher_order",
)
_AFTER = ("runtime-shape-conflict", "output-mismatch", "export-trace-mismatch")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The other exporter for each failing export; back to arguments of this one where they are mixed."""
    from triage.pysource import exporters

    flow = exporters.project_flow(site)
    yield from _refusals(site)
    for call in exporters.torch_calls(flow):
        if _MIXED in site.log:
            yield from _mixed(flow, call)
            continue
        dynamo = exporters.is_dynamo(call)
        if dynamo is not None and _is_worth(site, dynamo=dynamo):
            yield from _other(site, flow, call, dynamo=dynamo)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the changed call."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _is_worth(site: Site, *, dynamo: bool) -> bool:
    """Failures behind the export are the exporter's only where tracing left its warning."""
    first = site.found.causes[:1]
    if first and first[0] in _AFTER:
        return not dynamo and bool(_TRACED.search(site.log))
    if first and first[0] == "configuration-error":
        return False
    if first and first[0] == "opset-unsupported":
        return not dynamo and "nsupported onnx_opset_version" in site.log
    return bool(re.search(r"torch[/\\.](?:onnx|export|_dynamo|jit)\b", site.log)) and _own_operator(site.log) is None


def _own_operator(log: str) -> str | None:
    """An operator of another namespace than those that the exporters translate."""
    names = [one[1] for pattern in _OPERATORS for one in pattern.finditer(log)]
    return next((name for name in names if re.split(r"::|\.", name)[0] not in _KNOWN), None)


def _refusals(site: Site) -> Iterator[Refusal]:
    """What no exporter can do, said for the case that nothing helps."""
    own = _own_operator(site.log)
    if own is not None:
        yield Refusal(
            f"neither exporter of torch.onnx translates the operator {own}",
            "register a translation: custom_translation_table, or torch.onnx.register_custom_op_symbolic",
        )
    if _BRANCH.search(site.log):
        yield Refusal(
            "the model branches on values, which a graph can only freeze",
            "rewrite the branch with torch.where, torch.cond or a mask",
        )


def _other(site: Site, flow: Flow, call: CallSite, *, dynamo: bool) -> Iterator[Proposal]:
    from triage.pysource.changes import Changes
    from triage.pysource.switching import to_dynamo, to_torchscript

    made = Changes(flow.project)
    done = to_torchscript(call, made) if dynamo else to_dynamo(call, made)
    packed = made.packed()
    if done and packed:
        name = "by tracing (dynamo=False)" if dynamo else "through torch.export (dynamo=True)"
        frozen = dynamo and bool(_BRANCH.search(site.log)) and (not site.verify or _freezes(site, flow))
        yield Proposal(f"export {name} in {call.where}", packed, safety="unsafe" if frozen else None)


def _freezes(site: Site, flow: Flow) -> bool:
    """Whether the log stops at a test of the build's own code of which both outcomes compute, or at a number."""
    import libcst as cst

    if _NUMBER.search(site.log):
        return True
    for path, line in flow.project.frames():
        source = flow.project.source(path)
        for node in source.find(cst.If, cst.While, cst.IfExp) if source is not None else ():
            if source is not None and line in source.lines(node.test) and not _only_warns(source, node):
                return True
    return False


def _only_warns(source: Source, node: cst.CSTNode) -> bool:
    """``if …: raise …`` and the like, with nothing else."""
    import libcst as cst

    if not isinstance(node, cst.If) or node.orelse is not None:
        return False
    return all(_HARMLESS.match(source.code(line).strip()) for line in node.body.body)


def _mixed(flow: Flow, call: CallSite) -> Iterator[Proposal]:
    from triage.pysource.changes import Changes
    from triage.pysource.switching import shapes_to_axes, to_dynamo

    made = Changes(flow.project)
    done = shapes_to_axes(call)
    packed = made.packed()
    if done and packed:
        yield Proposal(f"write dynamic_shapes as dynamic_axes in {call.where}", packed)
    made = Changes(flow.project)
    done = to_dynamo(call, made)
    packed = made.packed()
    if done and packed:
        yield Proposal(f"export through torch.export (dynamo=True) in {call.where}", packed, rank=1)


_SCRIPT = """import torch


class Turn(torch.nn.Module):
    def forward(self, x):
        return x.mT @ x


torch.onnx.export(Turn().eval(), (torch.ones(2, 3, 4),), "model.onnx", dynamo=False, input_names=["x"],
                  output_names=["y"], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
"""
_LOG = """Traceback (most recent call last):
  File "build.py", line 9, in <module>
    torch.onnx.export(Turn().eval(), (torch.ones(2, 3, 4),), "model.onnx", dynamo=False, input_names=["x"],
  File "/lib/site-packages/torch/onnx/_internal/torchscript_exporter/utils.py", line 1792, in _run_symbolic_function
torch.onnx.errors.UnsupportedOperatorError: Exporting the operator 'aten::mT' to ONNX opset version 20 is not supported
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import onnx

    from triage.pysource import samples

    samples.run(site)
    shape = onnx.load(site.path("model.onnx")).graph.input[0].type.tensor_type.shape
    assert shape.dim[0].dim_param == "batch"  # noqa: S101


def _scripted(folder: str) -> None:
    from triage.pysource import samples

    text = _SCRIPT.replace("torch.onnx.export(Turn()", "model = torch.jit.script(Turn())\ntorch.onnx.export(model")
    samples.write(folder, {"build.py": text})


_FOUND = Found(causes=("export-op-unsupported",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnx", "onnxscript")),
    Example(_scripted, None, found=_FOUND, log=_LOG, applies=False),
)
