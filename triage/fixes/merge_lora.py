"""Merge the trained adapter into its base, and build from the merged folder.

What it changes: beside the adapter's folder a folder with the merged model is made (weights, config, tokenizer), and
the command, the script or its configuration names this folder instead of the adapter's, which holds no model.

When it is wrong: where the base lies not here, or the adapter was trained on another one: then the reason is said.
An adapter that changes nothing is not merged.

Proof: on fixed inputs the saved merged model answers like the base with its adapter, and not like the base alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _lora, _paths
from triage.fixes._chain import flow_of
from triage.modelfolder import adapters, weights
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    from triage.pysource.changes import Changes
    from triage.pysource.flow import Flow

CAUSES = (
    "lora-adapter-unmerged", "model-file-missing", "llm-architecture-unsupported", "adapter-mismatch",
    "hub-access-denied", "download-failed", "tokenizer-mismatch",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each adapter folder that is used as if it were a model."""
    flow = flow_of(site)
    for folder in _lora.adapter_folders(site):
        if weights.is_model(site.path(folder)):
            continue
        target = _free(site, folder)
        pointed = _pointed(site, flow, folder, target)
        if pointed is None:
            continue
        adapter = _lora.read(site, folder)
        base = _lora.base_of(site, adapter)
        refusal = _refusal(adapter, base)
        if refusal is not None:
            yield refusal
            continue
        sure = base.named or _lora.is_proven(site) or adapters.fit(adapter, {}).fits is None
        parameters = {**pointed, "adapter": folder, "base": base.folder, "target": target}
        what = f"merge {folder} into {base.folder} and build from {target}"
        yield Proposal(what, parameters, "safe" if sure else "unsafe")


def _refusal(adapter: adapters.Adapter, base: _lora.Base) -> Refusal | None:
    if adapter.broken:
        return Refusal(f"the adapter cannot be merged: {adapter.broken}", "Fetch the adapter again.")
    if adapters.is_empty(adapter):
        return Refusal(
            "the adapter is empty: every lora_B is 0, so merging would give the base", "Train it, or save it again."
        )
    if base.folder is None:
        return Refusal(base.why, f"Put the base model {adapter.base or 'of the adapter'} beside the adapter.")
    return None


def _free(site: Site, folder: str) -> str:
    stem = "merged" if folder == "." else f"{folder.rstrip('/')}-merged"
    return next(name for name in (stem, *(f"{stem}-{count}" for count in range(2, 99))) if not site.has(name))


def _pointed(site: Site, flow: Flow, folder: str, target: str) -> dict[str, Any] | None:
    """Changes that make command, script or configuration name another folder; None where none names it as a model."""
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    taken = [named.place for load in (*_lora.peft_loads(flow), *_lora.auto_loads(flow)) for named in load.paths]
    found = False
    for load in _lora.other_loads(flow):
        for named in load.paths:
            if _paths.inside(named.text, site.workspace.origin) == folder and named.place not in taken:
                found = _paths.set_path(changes, named, target) or found
    if not found:
        found = _on_commands(site, changes, folder, target)
    return changes.packed() if found else None


def _on_commands(site: Site, changes: Changes, folder: str, target: str) -> bool:
    """Words of commands that are the folder, alone or behind ``--model=``; not those that name it as an adapter."""
    from triage import commandline

    found = False
    for command in commandline.commands(site):
        fresh = command
        for at in range(command.arguments_at, len(command.words)):
            head, sign, tail = command.words[at].rpartition("=")
            before = head or command.words[at - 1]
            if _paths.inside(tail, site.workspace.origin) == folder and not _says_adapter(before):
                fresh = fresh.with_word(at, head + sign + target)
        if fresh != command:
            changes.command(command, fresh)
            found = True
    return found


def _says_adapter(word: str) -> bool:
    return word.startswith("-") and any(name in word for name in ("lora", "adapter", "peft"))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Merges, proves, and points the build at the merged folder."""
    from triage.pysource import changes

    _lora.merge(site, parameters["base"], parameters["adapter"], parameters["target"])
    changes.apply(site, parameters)


def _before(folder: str) -> None:
    _make(folder, trained=True)


def _make(folder: str, *, trained: bool) -> None:
    _lora.sample(folder, trained=trained)
    path = f"{folder}/adapter/adapter_config.json"
    config = {**weights.json_of(path), "base_model_name_or_path": "/train/base"}
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(config, stream)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(
            "from transformers import AutoConfig, AutoModelForCausalLM\n\n"
            'config = AutoConfig.from_pretrained("adapter")\n'
            'model = AutoModelForCausalLM.from_pretrained("adapter", config=config)\n'
        )


def _after(site: Site) -> None:
    from safetensors.torch import load_file

    merged, base = (load_file(site.path(f"{name}/model.safetensors")) for name in ("adapter-merged", "base"))
    changed = {name for name in base if not bool((merged[name] == base[name]).all())}
    assert len(changed) == 2  # noqa: S101 -- an example is a test
    assert "adapter-merged" in site.text("build.py")  # noqa: S101
    assert os.path.isfile(site.path("adapter-merged/config.json"))  # noqa: S101


def _empty(folder: str) -> None:
    _make(folder, trained=False)


EXAMPLES = (
    Example(_before, _after, needs=("peft", "transformers")),
    Example(_empty, None, applies=False, needs=("peft", "transformers")),
)
