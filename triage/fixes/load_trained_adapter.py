"""Load the trained adapter, and not a fresh one.

What it changes: `PeftModel(model, config)` or `get_peft_model(model, config)` in a script that exports becomes
`PeftModel.from_pretrained(model, ADAPTER)`. The first two make a new, empty adapter; merged, it gives the base model
back, and the training is lost without a word.

When it is wrong: where the script trains the adapter itself before the export, or loads its weights with
`set_peft_model_state_dict` or `load_adapter`: then nothing is proposed.

Proof: before the script is changed, base and adapter are loaded: merged, they answer like the model with its adapter
and not like the base. Then the build's own check compares the outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _edits, _lora, _paths
from triage.fixes._chain import flow_of
from triage.modelfolder import adapters
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow

CAUSES = (*_lora.CAUSES, "adapter-mismatch", "quantization-accuracy-loss")
SAFETY = "safe"
EVIDENT = True
_LATER = ("set_peft_model_state_dict", "load_adapter", "backward", "fit", "train_step")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each fresh adapter, with the folder that its configuration comes from."""
    from triage.pysource.calls import calls

    flow = flow_of(site)
    if _is_filled_later(flow):
        return
    for call in calls(flow, _is_fresh):
        for text, folder in _adapters(site, flow, call):
            if folder and adapters.is_empty(_lora.read(site, folder)):
                yield Refusal(f"the adapter {folder} is empty: every lora_B is 0", "Save the trained adapter again.")
                continue
            parameters = _edited(flow, call, text)
            if parameters is not None:
                base = _base(site, flow, call)
                proof = {"base": base, "adapter": folder} if base and folder else {}
                made = f"{call.source.code(call.node.func)} in {call.source.path} makes a fresh one"
                sure = _config_call(flow, call) is not None or _lora.is_proven(site)
                what = f"load the trained adapter {folder or text}: {made}"
                yield Proposal(what, {**parameters, **proof}, "safe" if sure else "unsafe")


def _is_fresh(name: str) -> bool:
    last = name.rpartition(".")[2]
    return name.startswith("peft.") and (last == "get_peft_model" or (last.startswith("PeftModel") and "." in name))


def _is_filled_later(flow: Flow) -> bool:
    import libcst as cst

    from triage.fixes._checkpoints import last_name

    return any(
        last_name(call.func) in _LATER for source in flow.project.sources() for call in source.find(cst.Call)
    )  # fmt: skip


def _adapters(site: Site, flow: Flow, call: CallSite) -> list[tuple[str, str | None]]:
    """(how the script can name it, its folder here): the folder of the configuration, else those that fit."""
    config = _config_call(flow, call)
    if config is not None:
        source, node = config
        value = node.args[0].value
        named = _paths.resolve(flow, source, value)
        folder = next((path for one in named if (path := _paths.inside(one.text, site.workspace.origin))), None)
        here = source is call.source and source.scope(value) is source.scope(call.node)
        text = source.code(value) if here or not named else repr(named[0].text).replace("'", '"')
        return [(text, folder if folder and site.has(folder) else None)]
    base = _base(site, flow, call)
    if not set(site.found.causes) & set(CAUSES):
        return []
    fitting = [
        folder for folder in _lora.adapter_folders(site)
        if base is None or _lora.fit(site, _lora.read(site, folder), base).fits is not False
    ]  # fmt: skip
    return [(repr(folder).replace("'", '"'), folder) for folder in fitting]


def _config_call(flow: Flow, call: CallSite) -> tuple[Any, cst.Call] | None:
    """``PeftConfig.from_pretrained(ADAPTER)`` from which the configuration comes."""
    import libcst as cst

    value = call.value("peft_config", 1)
    for origin in flow.origins(call.source, value) if value is not None else ():
        if isinstance(origin.node, cst.Call) and origin.node.args:
            name = flow.dotted(origin.source, origin.node.func) or ""
            if name.startswith("peft.") and name.endswith("Config.from_pretrained"):
                return origin.source, origin.node
    return None


def _base(site: Site, flow: Flow, call: CallSite) -> str | None:
    value = call.value("model", 0)
    origins = flow.origins(call.source, value) if value is not None else []
    for load in _lora.model_loads(flow):
        if any(one.node is load.call for one in origins):
            return _lora.folder_of(site, load)
    return None


def _edited(flow: Flow, call: CallSite, text: str) -> dict[str, Any] | None:
    from triage.pysource.changes import Changes

    source, model = call.source, call.value("model", 0)
    if model is None:
        return None
    name, line = _edits.name_for(source, "peft", "PeftModel", call.node)
    source.replace(call.node, f"{name}.from_pretrained({source.code(model)}, {text})")
    _edits.add_imports(source, [line or ""], call.node)
    return Changes(flow.project).packed()


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Proves the merge where base and adapter are here, then changes the script."""
    from triage.pysource import changes

    if "adapter" in parameters:
        _lora.merge(site, parameters["base"], parameters["adapter"], None)
    changes.apply(site, parameters)


_SCRIPT = """import torch
from peft import PeftConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("base")
config = PeftConfig.from_pretrained("adapter")
model = PeftModel(base, config).merge_and_unload()
plain = AutoModelForCausalLM.from_pretrained("base")
ids = torch.arange(6)[None]
with torch.no_grad():
    print(float((model(ids).logits - plain(ids).logits).abs().max()) > 0.01)
"""


def _before(folder: str) -> None:
    _lora.sample(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).strip() == "True"  # noqa: S101 -- an example is a test


def _right(folder: str) -> None:
    _lora.sample(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.replace("PeftModel(base, config)", 'PeftModel.from_pretrained(base, "adapter")'))


EXAMPLES = (
    Example(_before, _after, needs=("peft", "transformers")),
    Example(_right, None, applies=False, needs=("peft", "transformers")),
)
