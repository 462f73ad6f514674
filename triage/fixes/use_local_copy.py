"""Use the copy of the model that lies here.

What it changes: the name of a model of a hub, or a path that does not exist, becomes the folder of the build that has
the same last part in its name and holds a whole model. It is changed where it stands: in the command, the script or
its configuration.

When it is wrong: a folder of the same name may hold another revision. Where the recipe does not compare outputs it
is tried only when the whole path differs in its beginning, and not in the model's name.

Proof: the model loads, and the build's own check compares the outputs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site, _lora, _paths
from triage.fixes._chain import flow_of
from triage.modelfolder import weights
from triage.remedy import Proposal

CAUSES = ("hub-access-denied", "download-failed", "model-file-missing", "lora-adapter-unmerged", "tokenizer-mismatch")
SAFETY = "safe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal]:
    """For each load of a model that is not here: the folder that has its name."""
    from triage.pysource.changes import Changes

    flow = flow_of(site)
    wanted: dict[str, list[_paths.Named]] = {}
    for load in _lora.other_loads(flow):
        for named in load.paths:
            if not _is_here(site, named.text) and named.text in site.log:
                wanted.setdefault(named.text, []).append(named)
    for text, places in wanted.items():
        found = _folders(site, text)
        changes = Changes(flow.project)
        if len(found) != 1 or not all(_paths.set_path(changes, named, found[0]) for named in places):
            flow.project.forget()
            continue
        parameters = changes.packed()
        if parameters is not None:
            yield Proposal(f"load {found[0]}, which is here, instead of {text}", parameters)


def _is_here(site: Site, text: str) -> bool:
    path = _paths.inside(text, site.workspace.origin)
    return path is not None and site.has(path)


def _folders(site: Site, text: str) -> list[str]:
    """Folders of whole models that are named as the last part of a path or a name of a hub."""
    last = _plain(os.path.basename(text.rstrip("/")))
    candidates = dict.fromkeys(path.rpartition("/")[0] for path in site.listing if path.endswith("/config.json"))
    same = [
        folder
        for folder in candidates
        if _plain(os.path.basename(folder)) == last and weights.is_model(site.path(folder))
    ]
    whole = [folder for folder in same if _plain(folder).endswith(_plain(text.strip("./")))]
    return whole if len(whole) == 1 else same


def _plain(name: str) -> str:
    """Hubs keep a model under ``models--acme--name``; people write ``-`` for ``_`` and the reverse."""
    return re.sub(r"[-_.]+", "-", name.rpartition("--")[2] or name).lower()


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Names the folder."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _before(folder: str) -> None:
    _lora.sample(folder)
    os.makedirs(f"{folder}/models")
    os.rename(f"{folder}/base", f"{folder}/models/tiny_chat")
    _script(folder)


def _script(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(
            "from transformers import AutoModelForCausalLM\n\n"
            'MODEL = "acme/tiny-chat"\nmodel = AutoModelForCausalLM.from_pretrained(MODEL)\nprint("loaded")\n'
        )


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).strip().endswith("loaded")  # noqa: S101 -- an example is a test


def _elsewhere(folder: str) -> None:
    _lora.sample(folder)
    _script(folder)


_LOG = "OSError: acme/tiny-chat is not a local folder and is not a valid model identifier listed on the hub\n"
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("peft", "transformers")),
    Example(_elsewhere, None, log=_LOG, applies=False, needs=("peft", "transformers")),
)
