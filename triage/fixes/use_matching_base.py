"""Use the base model that the adapter was trained on.

What it changes: the command, or the line of the script that loads the base, names another model folder of the build:
the one that the adapter's configuration names, or the only one whose sizes fit the adapter.

When it is wrong: where no folder of the build fits, a person must find the right base; the reason then says how the
sizes differ. Where the sizes fit and the adapter does not name the folder, it may still be another model: without a
check of the outputs that needs --unsafe.

Proof: every tensor of the adapter has the size that the base asks for, and the build's own check compares the outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _lora, _paths
from triage.fixes._chain import flow_of
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    from triage.pysource.flow import Flow

CAUSES = ("adapter-mismatch",)
SAFETY = "safe"
EVIDENT = False
_ABSENT = re.compile(r"Target modules .{1,400} not found in the base model|No modules were targeted for adaptation")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each adapter and each model that does not fit it: the folder that does, or why there is none."""
    flow = flow_of(site)
    for folder in _lora.adapter_folders(site):
        adapter = _lora.read(site, folder)
        for wrong in _used(site, flow):
            told = _lora.fit(site, adapter, wrong)
            if told.fits is not False and not (told.fits is None and _ABSENT.search(site.log)):
                continue
            right = _lora.base_of(site, adapter)
            parameters = _pointed(site, flow, wrong, right.folder) if right.folder else None
            if parameters is not None:
                sure = right.named or _lora.is_proven(site)
                what = f"load {right.folder} instead of {wrong}: {_lora.mismatch(site, adapter, wrong)}"
                yield Proposal(what, parameters, "safe" if sure else "unsafe")
            elif right.folder is None:
                todo = f"Find the base model that {folder} was trained on"
                yield Refusal(_lora.mismatch(site, adapter, wrong), f"{todo}: it names {adapter.base or 'none'}.")


def _used(site: Site, flow: Flow) -> list[str]:
    """Model folders that the build loads."""
    loaded = [_lora.folder_of(site, load) for load in _lora.model_loads(flow)]
    named = [_paths.inside(word.rpartition("=")[2], site.workspace.origin) for word in site.command]
    models = _lora.model_folders(site)
    return [folder for folder in dict.fromkeys((*loaded, *named)) if folder in models]


def _pointed(site: Site, flow: Flow, wrong: str, right: str) -> dict[str, Any] | None:
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    found = False
    for load in _lora.other_loads(flow):
        for named in load.paths:
            if _paths.inside(named.text, site.workspace.origin) == wrong:
                found = _paths.set_path(changes, named, right) or found
    return changes.packed() if found else None


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Names the other folder."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """from peft import PeftModel
from transformers import AutoModelForCausalLM

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("other"), "adapter")
print("loaded")
"""


def _before(folder: str) -> None:
    import os

    _lora.sample(folder, hidden=24)
    os.rename(f"{folder}/base", f"{folder}/right")
    os.rename(f"{folder}/adapter", f"{folder}/kept")
    _lora.sample(folder)
    os.rename(f"{folder}/base", f"{folder}/other")
    import shutil

    shutil.rmtree(f"{folder}/adapter")
    os.rename(f"{folder}/kept", f"{folder}/adapter")
    _name_base(folder, "models/right")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _name_base(folder: str, name: str) -> None:
    import json

    from triage.modelfolder import weights

    path = f"{folder}/adapter/adapter_config.json"
    config = {**weights.json_of(path), "base_model_name_or_path": name}
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(config, stream)


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).strip().endswith("loaded")  # noqa: S101 -- an example is a test


def _no_base(folder: str) -> None:
    import os

    _lora.sample(folder, hidden=24, base=False)
    os.rename(f"{folder}/adapter", f"{folder}/kept")
    _lora.sample(folder)
    import shutil

    shutil.rmtree(f"{folder}/adapter")
    os.rename(f"{folder}/kept", f"{folder}/adapter")
    os.rename(f"{folder}/base", f"{folder}/other")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


EXAMPLES = (
    Example(_before, _after, needs=("peft", "transformers")),
    Example(_no_base, None, applies=False, needs=("peft", "transformers")),
)
