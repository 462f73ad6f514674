"""Point the adapter's configuration at the base that lies here.

What it changes: `base_model_name_or_path` in adapter_config.json, which names a folder of the machine on which the
adapter was trained or a model of a hub, becomes the folder of the build that is this base.

When it is wrong: where the folder here merely has the same sizes. It must have the name that the configuration
gives, or else be the only one that fits; the latter needs a check of the outputs, or --unsafe.

Proof: every tensor of the adapter has the size that the base asks for, and merged on fixed inputs the model answers
like the base with its adapter and not like the base.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site, _lora, _paths
from triage.modelfolder import adapters, weights
from triage.remedy import Proposal, Refusal

CAUSES = ("lora-adapter-unmerged", "model-file-missing", "hub-access-denied", "download-failed", "adapter-mismatch")
SAFETY = "safe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each adapter that names a base that is not there, where the log speaks of that base."""
    for folder in _lora.adapter_folders(site):
        adapter = _lora.read(site, folder)
        if not adapter.base or _is_here(site, adapter.base) or adapter.base.rstrip("/") not in site.log:
            continue
        base = _lora.base_of(site, adapter)
        path = _paths.join(folder, "adapter_config.json")
        if base.folder is None:
            yield Refusal(base.why, f"Put the base model {adapter.base} beside the adapter.")
        elif adapters.is_empty(adapter):
            yield Refusal(f"the adapter {folder} is empty: every lora_B is 0", "Save the trained adapter again.")
        elif site.may_change(path):
            sure = base.named or _lora.is_proven(site)
            what = f"name {base.folder} as the base in {path}, where it says {adapter.base}"
            yield Proposal(what, {"config": path, "base": base.folder, "adapter": folder}, "safe" if sure else "unsafe")


def _is_here(site: Site, base: str) -> bool:
    """Whether the build finds the base under its name, from its own folder."""
    path = _paths.inside(base, site.workspace.origin)
    return path is not None and weights.is_model(site.path(path))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Proves that base and adapter belong together, then writes the configuration."""
    _lora.merge(site, parameters["base"], parameters["adapter"], None)
    path = parameters["config"]
    config = json.loads(site.text(path))
    config["base_model_name_or_path"] = parameters["base"]
    site.write_text(path, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


_LOG = "OSError: /train/base is not a local folder and is not a valid model identifier listed on the hub\n"


def _before(folder: str) -> None:
    _lora.sample(folder)
    _named(folder, "/train/base")


def _named(folder: str, base: str) -> None:
    path = os.path.join(folder, "adapter", "adapter_config.json")
    config = {**weights.json_of(path), "base_model_name_or_path": base}
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(config, stream)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(
            "from peft import AutoPeftModelForCausalLM\n\n"
            'model = AutoPeftModelForCausalLM.from_pretrained("adapter")\nprint("loaded")\n'
        )


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).strip().endswith("loaded")  # noqa: S101 -- an example is a test


def _other(folder: str) -> None:
    _lora.sample(folder, hidden=24, base=False)
    _named(folder, "/train/base")


EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("peft", "transformers")),
    Example(_other, None, log=_LOG, applies=False, needs=("peft", "transformers")),
)
