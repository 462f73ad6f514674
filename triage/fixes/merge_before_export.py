"""Merge the adapter into the model before it is exported.

What it changes: the script. Where the model is loaded or exported, `PeftModel.from_pretrained(model, ADAPTER)` and
`.merge_and_unload()` are put in, so that the graph holds the trained weights. An adapter that is attached and not
merged is merged; `.unload()`, which throws it away, becomes `.merge_and_unload()`.

When it is wrong: where the base is exported on purpose and the adapter is served beside it. Where the script never
speaks of the adapter, only a check of the outputs can tell; without one it needs --unsafe.

Proof: before the script is changed, base and adapter are loaded: merged, they answer like the model with its adapter
and not like the base. Then the build's own check compares the outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.fixes import Example, Site, _edits, _lora
from triage.fixes._chain import Chain, exports, flow_of
from triage.modelfolder import adapters
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    import libcst as cst

    from triage.fixes._lora import Load
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = (
    *_lora.CAUSES, "export-op-unsupported", "export-internal-error", "export-dynamic-shape-conflict",
    "export-data-dependent-control-flow", "export-untracked-tensor", "quantization-accuracy-loss",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


class Root(NamedTuple):
    """The base that goes into an export: the call that loads or makes it, its folder, and a name that holds it."""

    source: Source
    call: cst.CSTNode
    folder: str | None
    name: cst.Name | None = None


class Attached(NamedTuple):
    """An adapter for a model: how the script can name it, its folder here, and whether the script speaks of it."""

    text: str
    folder: str | None
    told: bool


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each export: merge what is attached, or attach and merge what is left out."""
    flow = flow_of(site)
    for exported in exports(flow):
        chain = Chain(flow, exported)
        peft = [*_lora.peft_loads(flow), *_lora.auto_loads(flow)]
        attached = [load for load in peft if chain.has(load.call)]
        if attached:
            yield from _merged(flow, chain, attached)
        elif not _is_peft_made(flow, chain):
            yield from _left_out(site, flow, chain)


def _left_out(site: Site, flow: Flow, chain: Chain) -> Iterator[Proposal | Refusal]:
    """The base that is exported: loaded by ``from_pretrained``, else the module that the script gives to peft later."""
    load = next((load for load in _lora.model_loads(flow) if chain.has(load.call)), None)
    if load is not None:
        yield from _put_in(site, flow, chain, Root(load.source, load.call, _lora.folder_of(site, load)))
        return
    for source, name, origins in chain.names:
        made = [node for node in origins if _is_module(flow, source, node)]
        if made:
            yield from _put_in(site, flow, chain, Root(source, made[0], None, name))
            return


def _is_module(flow: Flow, source: Source, node: cst.CSTNode) -> bool:
    """A call that makes a torch module: of torch.nn, or of a class of the build."""
    import libcst as cst

    if not isinstance(node, cst.Call):
        return False
    name = flow.dotted(source, node.func) or ""
    found = flow.definition(source, node.func)
    return name.startswith(("torch.nn.", "torchvision.models.", "timm.")) or (
        found is not None and isinstance(found[1], cst.ClassDef)
    )


def _is_peft_made(flow: Flow, chain: Chain) -> bool:
    """The model already comes from another call of peft, such as get_peft_model: see load_trained_adapter."""
    return any((flow.dotted(source, call.func) or "").startswith("peft.") for source, call in chain.calls)


def _merged(flow: Flow, chain: Chain, attached: list[Load]) -> Iterator[Proposal]:
    """Attached and not merged, or thrown away."""
    import libcst as cst

    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    dropped = chain.methods("unload")
    if dropped:
        for source, call in dropped:
            if isinstance(call.func, cst.Attribute):
                source.replace(call.func.attr, "merge_and_unload")
        words = "merge the adapter where unload() throws it away"
    elif chain.methods("merge_and_unload") or chain.methods("merge_adapter"):
        return
    else:
        for load in attached:
            load.source.replace(load.call, f"{load.source.code(load.call)}.merge_and_unload()")
        words = "merge the attached adapter before the export"
    parameters = changes.packed()
    if parameters is not None:
        yield Proposal(f"{words}, in {attached[0].source.path}", parameters, keeps=not dropped)


def _put_in(site: Site, flow: Flow, chain: Chain, root: Root) -> Iterator[Proposal | Refusal]:
    """Attach and merge an adapter that the export leaves out."""
    for found in _adapters_for(site, flow, root):
        adapter = _lora.read(site, found.folder) if found.folder else None
        if adapter is not None and adapters.is_empty(adapter):
            yield Refusal(f"the adapter {found.folder} is empty: every lora_B is 0", "Save the trained adapter again.")
            continue
        parameters = _edited(flow, chain, root, found)
        if parameters is None:
            continue
        sure = found.told or _lora.is_proven(site)
        proof = {"base": root.folder, "adapter": found.folder} if root.folder and found.folder else {}
        what = f"merge {found.folder or found.text} into the model before {root.source.path} exports it"
        yield Proposal(what, {**parameters, **proof}, "safe" if sure else "unsafe", keeps=False)


def _adapters_for(site: Site, flow: Flow, root: Root) -> Iterator[Attached]:
    """Adapters that the script names, else those of the folder that fit the base."""
    named: dict[str, Attached] = {}
    for peft in _lora.peft_loads(flow):
        folder = _lora.folder_of(site, peft)
        text = _text_at(root, peft, folder)
        if text is not None:
            named.setdefault(folder or text, Attached(text, folder, told=True))
    yield from named.values()
    if named or not root.folder or not set(site.found.causes) & set(CAUSES):
        return
    for folder in _lora.adapter_folders(site):
        adapter = _lora.read(site, folder)
        if not adapter.broken and _lora.fit(site, adapter, root.folder).fits is not False:
            yield Attached(_quoted(folder), folder, told=any(folder in word for word in site.command))


def _text_at(root: Root, peft: Load, folder: str | None) -> str | None:
    """How the adapter's path can be written where the model is loaded or exported."""
    import libcst as cst

    from triage.pysource.arguments import given

    value = given(peft.call, "model_id", 1)
    place = root.name or root.call
    if value is not None and peft.source is root.source and isinstance(value.value, cst.BaseExpression):
        start = root.source.span(root.source.statement(place))[0]
        if all(_bound_before(root.source, name, place, start) for name in _names(value.value)):
            return peft.source.code(value.value)
    if peft.paths:
        return _quoted(peft.paths[0].text)
    return _quoted(folder) if folder else None


def _quoted(text: str) -> str:
    return repr(text).replace("'", '"')


def _names(node: cst.CSTNode) -> Iterator[cst.Name]:
    import libcst as cst

    from triage.fixes._chain import descend

    yield from (each for each in descend(node) if isinstance(each, cst.Name))


def _bound_before(source: Source, name: cst.Name, at: cst.CSTNode, start: int) -> bool:
    import libcst as cst

    from triage.pysource.bindings import bindings

    up = source.parent(name)
    if isinstance(up, cst.Attribute) and up.attr is name:
        return True
    places = [source.span(one.node)[0] for one in bindings(source, name)]
    return source.scope(name) is source.scope(at) and bool(places) and min(places) < start


def _edited(flow: Flow, chain: Chain, root: Root, found: Attached) -> dict[str, Any] | None:
    """The model's load is wrapped; where something else needs the base itself, a copy is merged at the export."""
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    if root.name is None and not _is_shared(flow, root.call):
        name, line = _edits.name_for(root.source, "peft", "PeftModel", root.call)
        code = root.source.code(root.call)
        root.source.replace(root.call, f"{name}.from_pretrained({code}, {found.text}).merge_and_unload()")
        _edits.add_imports(root.source, [line or ""], root.call)
        return changes.packed()
    holders = [(source, node) for source, node, origins in chain.names if any(one is root.call for one in origins)]
    if not holders:
        return None
    source, node = holders[0]
    name, line = _edits.name_for(source, "peft", "PeftModel", node)
    copying, other = _edits.name_for(source, "copy", "deepcopy", node)
    merged = f"{name}.from_pretrained({copying}({source.code(node)}), {found.text}).merge_and_unload()"
    source.replace(node, merged)
    _edits.add_imports(source, [line or "", other or ""], node)
    return changes.packed()


def _is_shared(flow: Flow, call: cst.CSTNode) -> bool:
    """The same load is the base of an adapter elsewhere, which must not find it merged already."""
    from triage.pysource.arguments import given

    for peft in _lora.peft_loads(flow):
        value = given(peft.call, "model", 0)
        if value is not None and any(one.node is call for one in flow.origins(peft.source, value.value)):
            return True
    return False


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Proves the merge where base and adapter are here, then changes the script."""
    from triage.pysource import changes

    if "adapter" in parameters:
        _lora.merge(site, parameters["base"], parameters["adapter"], None)
    changes.apply(site, parameters)


_SCRIPT = """import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("base")
torch.onnx.export(model.eval(), (torch.arange(4)[None],), "model.onnx")

from peft import PeftModel

tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "adapter")
"""


def _before(folder: str) -> None:
    _lora.sample(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    import torch

    script = (
        site.text("build.py")
        .replace('"base"', repr(site.path("base")))
        .replace('"adapter"', repr(site.path("adapter")))
    )
    lines = [line for line in script.split("\n") if "onnx" not in line]
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)  # noqa: S102 -- our own example
    ids = torch.arange(6)[None]
    with torch.no_grad():
        got, want = scope["model"](ids).logits, scope["tuned"](ids).logits
    assert torch.allclose(got, want, atol=1e-5)  # noqa: S101 -- an example is a test


def _merged_already(folder: str) -> None:
    _lora.sample(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.replace("torch.onnx", "tuned = model\ntorch.onnx").replace(
            'model = AutoModelForCausalLM.from_pretrained("base")',
            'from peft import PeftModel\n\nmodel = AutoModelForCausalLM.from_pretrained("base")\n'
            'model = PeftModel.from_pretrained(model, "adapter").merge_and_unload()',
        ))  # fmt: skip


EXAMPLES = (
    Example(_before, _after, needs=("peft", "transformers")),
    Example(_merged_already, None, applies=False, needs=("peft", "transformers")),
)
