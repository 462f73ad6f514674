"""Rebuild the index of the shards.

What it changes: `model.safetensors.index.json` (or that of `pytorch_model.bin`) of a model folder is written anew from
the shards themselves: which tensor lies in which file. Shards keep their names and their bytes; a single file under
another name is named by an index too.

When it is wrong: where a shard is missing or cut, the weights are not there, and no index helps: then it is said
which. Two files that hold the same tensor are a choice that a person must make.

Proof: every tensor of the old index is found in one file, and the model loads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site, _paths
from triage.modelfolder import index
from triage.remedy import Proposal, Refusal

CAUSES = ("checkpoint-corrupt", "checkpoint-mismatch", "model-file-missing", "external-data-missing")
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """Every model folder whose index is not what its shards say."""
    for folder in _folders(site):
        found = index.look(site.path(folder))
        path = _paths.join(folder, found.name)
        if not found.fault or not _counts(site, folder, found):
            continue
        if found.mended is None:
            yield Refusal(
                f"the weights of {folder} are not all there: {found.lacking}",
                "Fetch the missing file again and compare its size and hash with the source.",
            )
        elif site.may_change(path):
            yield Proposal(f"rebuild {path}, which {found.fault}", {"folder": folder, "index": path})


def _counts(site: Site, folder: str, found: index.Look) -> bool:
    """An index that does not exist counts only where the log misses it."""
    told = not found.fault.startswith("is missing")
    missed = bool(set(site.found.causes) & set(CAUSES))
    return told or (missed and (folder == "." or folder in site.log))


def _folders(site: Site) -> list[str]:
    """Folders with weights or an index in them, those that the log names first."""
    found = {
        path.rpartition("/")[0] or "."
        for path in site.listing
        if path.endswith((".safetensors", ".index.json", ".bin")) and path not in site.outputs
    }
    return sorted(found, key=lambda folder: (folder not in site.log, folder))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the index."""
    found = index.look(site.path(parameters["folder"]))
    site.write_text(parameters["index"], json.dumps(found.mended, indent=2) + "\n")


def _before(folder: str) -> None:
    _write(folder, "part-a.safetensors")


def _write(folder: str, second: str) -> None:
    import torch
    from safetensors.torch import save_file

    os.makedirs(f"{folder}/model")
    for number, name in enumerate(("model-00001-of-00002.safetensors", second)):
        if name:
            save_file({f"layer{number}.weight": torch.full((2, 2), float(number))}, f"{folder}/model/{name}")
    table = {f"layer{number}.weight": f"model-0000{number + 1}-of-00002.safetensors" for number in range(2)}
    with open(f"{folder}/model/model.safetensors.index.json", "w", encoding="utf-8") as stream:
        json.dump({"metadata": {"total_size": 32}, "weight_map": table}, stream)


def _after(site: Site) -> None:
    table = json.loads(site.text("model/model.safetensors.index.json"))["weight_map"]
    assert table == {  # noqa: S101 -- an example is a test
        "layer0.weight": "model-00001-of-00002.safetensors",
        "layer1.weight": "part-a.safetensors",
    }


def _lost(folder: str) -> None:
    _write(folder, "")


EXAMPLES = (
    Example(_before, _after, needs=("torch", "safetensors")),
    Example(_lost, None, applies=False, needs=("torch", "safetensors")),
)
