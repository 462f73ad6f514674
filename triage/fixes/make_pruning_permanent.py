"""Make pruning masks and parametrizations permanent before export.

What it changes: before the export, the script turns pruned weights (weight_orig and weight_mask), parametrized weights
and weight_norm into plain weights of the same values, so that the exported graph holds them and no operators that make
them. Where a plain model loads a checkpoint that was saved pruned, the script multiplies each original by its mask
before it loads.

When it is wrong: a model that is trained further after the export loses its masks in the script's own process. The
weights are those that the model computes with; they do not change.

Proof: the weights are equal, and so are the outputs; they are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site, _checkpoints
from triage.remedy import Proposal

if TYPE_CHECKING:
    from triage.pysource.calls import CallSite

CAUSES = (
    "export-trace-mismatch",
    "output-mismatch",
    "export-op-unsupported",
    "export-internal-error",
    "export-untracked-tensor",
    "model-code-error",
    "checkpoint-mismatch",
    "unknown",
)
SAFETY = "safe"

_PRUNE = re.compile(r"^torch\.nn\.utils\.prune\.(?!remove|is_pruned)\w+")
_PARAMETRIZE = re.compile(r"^torch\.nn\.utils\.(?:parametriz\w+\.(?!remove|is_param)\w+|spectral_norm|weight_norm)$")
_MASKED = """for module in {model}.modules():
    for name in [key[:-5] for key in dict(module.named_parameters(recurse=False)) if key.endswith("_orig")]:
        if hasattr(module, name + "_mask"):
            {prune}.remove(module, name)"""
_PARAMETERS = """for module in {model}.modules():
    if {parametrize}.is_parametrized(module):
        for name in list(module.parametrizations):
            {parametrize}.remove_parametrizations(module, name)"""
_NORMS = """for module in {model}.modules():
    for hook in list(module._forward_pre_hooks.values()):
        if type(hook).__name__ == "WeightNorm":
            {utils}.remove_weight_norm(module, hook.name)
        elif type(hook).__name__ == "SpectralNorm":
            {utils}.remove_spectral_norm(module, hook.name)"""

_MERGED = """def {name}(state):
    \"\"\"A table of pruned weights with each original multiplied by its mask, as the pruned model computes.\"\"\"
    plain = {{}}
    for key, value in state.items():
        name = key.removesuffix("_orig")
        if name != key and name + "_mask" in state:
            plain[name] = value * state[name + "_mask"]
        elif not (key.endswith("_mask") and key.removesuffix("_mask") + "_orig" in state):
            plain[key] = value
    return plain
"""


def propose(site: Site) -> Iterator[Proposal]:
    """Where the script prunes or parametrizes weights and exports them so, or loads a table of pruned ones."""
    from triage.pysource import exporters
    from triage.pysource.calls import calls
    from triage.pysource.changes import Changes

    if "Error(s) in loading state_dict for" in site.log:
        yield from _loading(site)
        return
    flow = exporters.project_flow(site)
    pruned = bool(calls(flow, lambda name: bool(_PRUNE.match(name))))
    normed = {call.name for call in calls(flow, lambda name: bool(_PARAMETRIZE.match(name)))}
    if calls(flow, lambda name: name.endswith((".prune.remove", "remove_parametrizations", "remove_weight_norm"))):
        return
    for call in exporters.torch_calls(flow) if pruned or normed else ():
        made = Changes(flow.project)
        if _write(call, pruned=pruned, normed=normed):
            packed = made.packed()
            what = "pruning masks" if pruned else "parametrized weights"
            if packed:
                yield Proposal(f"make the {what} permanent before {call.where}", packed)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the loop before the export."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _loading(site: Site) -> Iterator[Proposal]:
    """The table has original and mask for what the model wants, and else just the names of the model."""
    from triage.modelfolder import keys
    from triage.pysource import arguments, names, statements
    from triage.pysource.changes import Changes
    from triage.pysource.project import Project

    said = keys.told(site.log)
    plain, masked = keys.without_masks(said.unexpected)
    found = keys.Renaming() if set(plain) == set(said.missing) else keys.renaming(plain, said.missing)
    project = Project(site)
    call = _checkpoints.call_in_traceback(project, "load_state_dict")
    if not masked or said.sizes or found is None or call is None or not project.may_change(call[0]):
        return
    source, node = call
    state = arguments.given(node, "state_dict", 0)
    if state is None:
        return
    name = names.free(source, "without_masks")
    statements.insert_top(source, node, _MERGED.format(name=name))
    table = f"{name}({source.code(state.value)})"
    source.replace(state.value, found.table(table) if found.words() else table)
    packed = Changes(project).packed()
    if packed:
        more = f", and {found.words()} of the checkpoint" if found.words() else ""
        what = f"multiply {len(masked)} pruned weights by their masks where {source.path} loads them{more}"
        yield Proposal(what, packed)


def _write(call: CallSite, *, pruned: bool, normed: set[str]) -> bool:
    from triage.pysource import names, statements
    from triage.pysource.project import dotted_text

    found = call.argument("model", 0)
    text = dotted_text(found[0].value) if found and not found[0].keys else ""
    if not text or found[0].source is not call.source or not call.flow.project.may_change(call.source):
        return False
    start, text = _start(call, text)
    wanted = []
    if pruned:
        wanted.append((_MASKED, "prune", "torch.nn.utils.prune"))
    if any(".parametriz" in name for name in normed):
        wanted.append((_PARAMETERS, "parametrize", "torch.nn.utils.parametrize"))
    if any(name.endswith(("utils.weight_norm", "utils.spectral_norm")) for name in normed):
        wanted.append((_NORMS, "utils", "torch.nn.utils"))
    lines: list[str] = []
    for template, key, module in wanted:
        spelled, needs = names.spelled(call.source, f"{module}.x")
        if needs is not None:
            names.add_import(call.source, f"import {needs}")
        lines += template.format(model=text, **{key: spelled.removesuffix(".x")}).split("\n")
    statements.insert_before(call.source, start, *lines)
    return True


def _start(call: CallSite, text: str) -> tuple[Any, str]:
    """The export, or what copies or traces the model for it; and the name of the model there."""
    import libcst as cst

    source = call.source
    for node in source.find(cst.Call):
        last = source.code(node.func).rpartition(".")[2]
        if last not in ("deepcopy", "trace", "script", "export") or not node.args or node is call.node:
            continue
        given, up = source.code(node.args[0].value), source.parent(node)
        while isinstance(up, cst.Attribute | cst.Call):  # deepcopy(net).eval()
            up = source.parent(up)
        taken = source.code(up.targets[0].target) if isinstance(up, cst.Assign) else ""
        if text in (given, taken) and source.span(node)[0] < source.span(call.node)[0]:
            return node, given
    return call.node, text


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))).eval()
torch.onnx.export(model, (torch.ones(1, 4),), "model.onnx", dynamo=False)
"""
_LOG = """  File "build.py", line 6, in <module>
torch.onnx.errors.UnsupportedOperatorError: Exporting the operator 'aten::mT' to ONNX opset version 20 is not supported
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import onnx

    from triage.pysource import samples

    samples.run(site)
    assert [node.op_type for node in onnx.load(site.path("model.onnx")).graph.node] == ["Gemm"]  # noqa: S101


def _plain(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT.replace("nn.utils.parametrizations.orthogonal", "nn.Sequential")})


_FOUND = Found(causes=("export-op-unsupported",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnx")),
    Example(_plain, None, found=_FOUND, log=_LOG, applies=False),
)
