"""Adapters and bases in a build's folder, and where its scripts load them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.fixes import Site, _paths
from triage.modelfolder import adapters, weights
from triage.modelfolder.adapters import Adapter, Fit
from triage.modelfolder.damage import Broken
from triage.modelfolder.tensors import Tensor

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = ("lora-adapter-unmerged", "output-mismatch", "export-trace-mismatch")
_NO_MODELS = ("Tokenizer", "Config", "Processor", "FeatureExtractor", "Peft", "Dataset", "Scheduler")


class Base(NamedTuple):
    """The base of an adapter: its folder (None: not here), whether the adapter names it, and why not in words."""

    folder: str | None
    named: bool = False
    why: str = ""


class Load(NamedTuple):
    """A call that loads a model or adapter; ``paths`` are the folders it may mean."""

    source: Source
    call: cst.Call
    name: str
    paths: tuple[_paths.Named, ...]


def adapter_folders(site: Site) -> list[str]:
    """Folders of the build that hold an adapter, those that command and log name first."""
    found = [
        path.rpartition("/")[0] or "." for path in site.listing if path.rpartition("/")[2] == "adapter_config.json"
    ]
    kept = [folder for folder in found if not _is_output(site, folder)]
    return sorted(
        kept, key=lambda folder: (folder not in site.command, folder not in site.log, folder.count("/"), folder)
    )


def model_folders(site: Site) -> list[str]:
    """Folders of the build that are whole models."""
    found = [path.rpartition("/")[0] or "." for path in site.listing if path.rpartition("/")[2] == "config.json"]
    return [folder for folder in found if weights.is_model(site.path(folder)) and not _is_output(site, folder)]


def _is_output(site: Site, folder: str) -> bool:
    return any(folder == output.rstrip("/") or folder.startswith(output.rstrip("/") + "/") for output in site.outputs)


def read(site: Site, folder: str) -> Adapter:
    """The adapter of a folder of the build."""
    return adapters.read(site.path(folder))


@lru_cache(maxsize=32)
def _tensors(folder: str) -> Mapping[str, Tensor]:
    try:
        return weights.of_folder(folder)
    except (Broken, OSError):
        return {}


def fit(site: Site, adapter: Adapter, base: str) -> Fit:
    """How an adapter fits a model folder of the build."""
    return adapters.fit(adapter, _tensors(site.path(base)))


def base_of(site: Site, adapter: Adapter) -> Base:
    """The base that lies in the build's folder: the one that the adapter names, else the only one that fits."""
    named = _named_base(site, adapter)
    if named is not None:
        told = fit(site, adapter, named)
        if told.fits is not False:
            return Base(named, named=True)
    models = model_folders(site)
    fitting = [folder for folder in models if fit(site, adapter, folder).fits]
    if not fitting and len(models) == 1 and fit(site, adapter, models[0]).fits is None:
        fitting = models
    if len(fitting) == 1:
        return Base(fitting[0])
    if len(fitting) > 1:
        return Base(
            None, why=f"{' and '.join(fitting[:3])} would both fit the adapter, and it names {adapter.base or 'none'}"
        )
    if models:
        return Base(None, why=mismatch(site, adapter, named or models[0]))
    return Base(None, why=f"the base model {adapter.base or 'of the adapter'} is not in the build's folder")


def _named_base(site: Site, adapter: Adapter) -> str | None:
    """The folder that base_model_name_or_path means here: as it is, from the adapter's folder, or by its last part."""
    name = adapter.base.rstrip("/")
    if not name:
        return None
    own = os.path.relpath(adapter.folder, site.root)
    tries = [
        name,
        os.path.join(own, name),
        os.path.join(os.path.dirname(own), os.path.basename(name)),
        os.path.basename(name),
    ]
    for each in tries:
        path = _paths.inside(each, site.workspace.origin)
        if path and site.has(path) and weights.is_model(site.path(path)):
            return path
    last = os.path.basename(name)
    same = [folder for folder in model_folders(site) if folder.rpartition("/")[2] == last]
    return same[0] if len(same) == 1 else None


def mismatch(site: Site, adapter: Adapter, base: str) -> str:
    """Why an adapter does not fit a base, in words."""
    config = weights.json_of(os.path.join(site.path(base), "config.json"))
    here = next((config[key] for key in ("hidden_size", "n_embd", "d_model", "dim") if key in config), None)
    trained = adapters.trained_width(adapter)
    if trained and here and trained != here:
        return f"the adapter was trained on another base: hidden size {trained}, here {here}"
    return f"the adapter was trained on another base: {fit(site, adapter, base).why}"


def model_loads(flow: Flow) -> Iterator[Load]:
    """Calls of ``from_pretrained`` of model classes, without those of peft and of tokenizers."""
    for load in _loads(flow):
        owner = load.name.rpartition(".")[0].rpartition(".")[2]
        if not load.name.startswith("peft.") and not any(word in owner for word in _NO_MODELS):
            yield load


def peft_loads(flow: Flow) -> Iterator[Load]:
    """Calls of peft that take a base and the folder of an adapter: ``PeftModel.from_pretrained(base, adapter)``."""
    for load in _loads(flow, place=1):
        owner = load.name.rpartition(".")[0].rpartition(".")[2]
        if load.name.startswith("peft.") and owner.startswith("PeftModel"):
            yield load


def other_loads(flow: Flow) -> Iterator[Load]:
    """Calls of ``from_pretrained`` for configurations, tokenizers and models, all but those of peft."""
    yield from (load for load in _loads(flow) if not load.name.startswith("peft."))


def auto_loads(flow: Flow) -> Iterator[Load]:
    """Calls of peft that take an adapter's folder only: ``AutoPeftModelForCausalLM.from_pretrained(adapter)``."""
    for load in _loads(flow):
        if load.name.startswith("peft.") and "AutoPeftModel" in load.name:
            yield load


def _loads(flow: Flow, place: int = 0) -> Iterator[Load]:
    import libcst as cst

    from triage.pysource.arguments import given

    for source in flow.project.sources():
        for call in source.find(cst.Call):
            if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "from_pretrained":
                continue
            keyword = "model_id" if place else "pretrained_model_name_or_path"
            value = given(call, keyword, place) or (
                given(call, "pretrained_model_name_or_path", 0) if not place else None
            )
            paths = _paths.resolve(flow, source, value.value) if value is not None else []
            yield Load(source, call, flow.dotted(source, call.func) or source.code(call.func), tuple(paths))


def folder_of(site: Site, load: Load) -> str | None:
    """The folder of the build that a load means; None where it is not here."""
    for named in load.paths:
        path = _paths.inside(named.text, site.workspace.origin)
        if path and os.path.isdir(site.path(path)):
            return path
    return None


def is_proven(site: Site) -> bool:
    """Whether the recipe itself compares outputs."""
    return bool(site.verify.get("command") or site.verify.get("reference"))


def merge(site: Site, base: str, adapter: str, target: str | None) -> dict[str, Any]:
    """Merges an adapter and proves it; gives the numbers.

    Raises:
        CannotApply: the merged model is not the model with its adapter, or is the base.
    """
    import json

    from triage.fixes import _programs

    arguments = [site.path(base), site.path(adapter), *([site.path(target)] if target else [])]
    said = _programs.run_program(site, "merge_adapter", arguments)
    last = said.strip().split("\n")[-1]
    found: dict[str, Any] = json.loads(last)
    return found


def sample(folder: str, *, trained: bool = True, hidden: int = 16, base: bool = True) -> None:
    """Writes a tiny base and an adapter of it, for the examples of fixes.

    Args:
        folder: an existing folder; ``base`` and ``adapter`` are made in it.
        trained: False leaves the adapter empty.
        hidden: the hidden size of the base that the adapter is trained on.
        base: also write the base.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": hidden, "intermediate_size": 24, "num_hidden_layers": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=32, num_attention_heads=2, num_key_value_heads=2, **sizes))
    if base:
        model.save_pretrained(os.path.join(folder, "base"))
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    for name, value in tuned.named_parameters():
        if "lora_B" in name and trained:
            torch.nn.init.normal_(value)
    tuned.save_pretrained(os.path.join(folder, "adapter"))
