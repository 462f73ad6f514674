"""Copy missing files of a model folder from beside it.

What it changes: tokenizer files, config.json or the weights that a model folder lacks are copied into it from another
folder of the build: the folder above or below it, or one beside it. All files of a tokenizer come from one folder.

When it is wrong: files of another model. So a config.json is taken only where vocabulary, hidden size and number of
layers are those of the weights, a tokenizer only where it has as many tokens as the model's embedding has rows (or
somewhat fewer, for embeddings are padded). Two tokenizers of the same size may still differ: one that lies neither
above, below nor in the base of the model needs a check of the outputs, or --unsafe.

Proof: the sizes agree, the folder loads, and the build's own check compares the outputs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import Example, Site, _lora, _paths
from triage.modelfolder import tokenizers, weights
from triage.modelfolder.damage import Broken
from triage.remedy import Proposal, Refusal

CAUSES = (
    "tokenizer-mismatch", "model-file-missing", "llm-architecture-unsupported", "lora-adapter-unmerged",
    "output-mismatch",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = False
_PADDING = 1024
_FOLDERS = (
    re.compile(r"found in directory (\S{1,300}?)[.,]?\s"),
    re.compile(r"Unrecognized model in (\S{1,300}?)\. "),
    re.compile(r"(?:^|\s)(\S{1,300}) does not appear to have a file named"),
    re.compile(r"Can't load \w[\w ]{2,40} for '([^']{1,300})'"),
    re.compile(r"(\S{1,300}?)/(?:config|tokenizer\w*|preprocessor_config|vocab)\.(?:json|model|txt)"),
)


class Offer(NamedTuple):
    """Files of another folder that a model folder lacks, and how near that folder is (0 is nearest)."""

    source: str
    names: tuple[str, ...]
    distance: int


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each folder that the log or the failing load names: what it lacks and what lies beside it."""
    for folder in _incomplete(site):
        for kind, offers in (("config", _configs(site, folder)), ("weights", _weights(site, folder)),
                             ("tokenizer", _tokenizers(site, folder))):  # fmt: skip
            yield from _proposed(site, folder, kind, offers)


def _incomplete(site: Site) -> list[str]:
    """Folders of models that are named by the log, or loaded on a line of the traceback."""
    from triage.fixes._chain import flow_of

    named = [match[1] for pattern in _FOLDERS for match in pattern.finditer(site.log)]
    flow = flow_of(site)
    for load in _lora.other_loads(flow):
        # transformers makes an empty tokenizer without a word
        silent = "output-mismatch" in site.found.causes and "Tokenizer" in load.name
        if silent or flow.project.in_traceback(load.source, load.call):
            named += [one.text for one in load.paths]
    found = [_paths.inside(name.strip("'\"`"), site.workspace.origin) for name in named]
    return [
        path for path in dict.fromkeys(found) if path and os.path.isdir(site.path(path)) and not _is_adapter(site, path)
    ]


def _is_adapter(site: Site, folder: str) -> bool:
    return weights.is_adapter(site.path(folder))


def _proposed(site: Site, folder: str, kind: str, offers: list[Offer]) -> Iterator[Proposal | Refusal]:
    groups: dict[tuple[bytes, ...], Offer] = {}
    for offer in sorted(offers, key=lambda each: each.distance):
        groups.setdefault(_content(site, offer), offer)
    for offer in groups.values():
        certain = kind != "tokenizer" or offer.distance == 0
        sure = (certain and len(groups) == 1) or _lora.is_proven(site)
        names = ", ".join(offer.names)
        parameters = {"source": offer.source, "target": folder, "names": list(offer.names)}
        if all(site.may_change(_paths.join(folder, name)) for name in offer.names):
            yield Proposal(f"copy {names} from {offer.source} into {folder}", parameters, "safe" if sure else "unsafe")


def _content(site: Site, offer: Offer) -> tuple[bytes, ...]:
    """What tells two offers apart; of weights their place and size are enough."""
    found = []
    for name in offer.names:
        path = site.path(_paths.join(offer.source, name))
        if os.path.getsize(path) > 64 << 20:
            found.append(f"{path} {os.path.getsize(path)}".encode())
            continue
        with open(path, "rb") as stream:
            found.append(stream.read())
    return tuple(found)


def _others(site: Site, folder: str) -> Iterator[tuple[str, int]]:
    """(folder, distance): above, below, or the base that the config names: 0; others by how far apart they are."""
    config = weights.json_of(os.path.join(site.path(folder), "config.json"))
    base = os.path.basename(str(config.get("_name_or_path") or "").rstrip("/"))
    up = folder.rpartition("/")[0] or "."
    for other in dict.fromkeys(path.rpartition("/")[0] or "." for path in site.listing):
        if other == folder or any(_paths.join(other, "x").startswith(out) for out in site.outputs if out.endswith("/")):
            continue
        near = other == up or other.startswith(folder + "/") or (base and os.path.basename(other) == base)
        near = near or os.path.basename(other) in ("tokenizer", f"{os.path.basename(folder)}-tokenizer")
        yield other, 0 if near else 1 + other.count("/")


def _held(site: Site, folder: str) -> Mapping[str, weights.Tensor]:
    try:
        return weights.of_folder(site.path(folder))
    except (Broken, OSError):
        return {}


def _configs(site: Site, folder: str) -> list[Offer]:
    """config.json files that agree with the folder's weights."""
    if site.has(_paths.join(folder, "config.json")):
        return []
    held = _held(site, folder)
    found = []
    for other, distance in _others(site, folder) if held else ():
        config = weights.json_of(site.path(_paths.join(other, "config.json")))
        if config.get("model_type") and weights.config_fits(config, dict(held)) is None:
            extra = ("generation_config.json",)
            names = [name for name in extra if _lacks(site, folder, other, name)]
            found.append(Offer(other, ("config.json", *names), distance))
    return found


def _weights(site: Site, folder: str) -> list[Offer]:
    """Weights of one file that agree with the folder's config.json; a folder of its own model keeps them."""
    config = weights.json_of(site.path(_paths.join(folder, "config.json")))
    if not config.get("model_type") or weights.shards(site.path(folder)):
        return []
    found = []
    for other, distance in _others(site, folder):
        name = next((each for each in weights.SINGLE if site.has(_paths.join(other, each))), None)
        if name is None or site.has(_paths.join(other, "config.json")):
            continue
        if weights.config_fits(config, dict(_held(site, other))) is None:
            found.append(Offer(other, (name,), distance))
    return found


def _tokenizers(site: Site, folder: str) -> list[Offer]:
    """Whole tokenizers whose size is that of the folder's embedding."""
    missed = "output-mismatch" in site.found.causes or re.search(r"(?i)tokenizer|vocab", site.log)
    if tokenizers.files(site.path(folder)) or not missed:
        return []
    table = weights.embedding(dict(_held(site, folder)))
    config = weights.json_of(site.path(_paths.join(folder, "config.json")))
    rows = table[1].shape[0] if table else config.get("vocab_size")
    found = []
    for other, distance in _others(site, folder):
        names = tokenizers.files(site.path(other))
        count = tokenizers.size(site.path(other)) if names else None
        if names and isinstance(rows, int) and (count is None or rows - _PADDING < count <= rows):
            same = _same_kind(site, config, other)
            found.append(Offer(other, tuple(names), distance if count is not None and same else distance + 1))
    return found


def _same_kind(site: Site, config: Mapping[str, Any], other: str) -> bool:
    """A model that lies with the tokenizer is of the same kind, or there is none."""
    there = weights.json_of(site.path(_paths.join(other, "config.json")))
    return not there or all(there.get(key) == config.get(key) for key in ("model_type", "vocab_size"))


def _lacks(site: Site, folder: str, other: str, name: str) -> bool:
    return site.has(_paths.join(other, name)) and not site.has(_paths.join(folder, name))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Copies the files."""
    for name in parameters["names"]:
        site.copy(_paths.join(parameters["source"], name), _paths.join(parameters["target"], name))


def _before(folder: str) -> None:
    _write(folder, 32)


def _write(folder: str, tokens: int) -> None:
    import json

    _lora.sample(folder)
    os.rename(f"{folder}/base", f"{folder}/run")
    os.makedirs(f"{folder}/run/checkpoint-9")
    os.rename(f"{folder}/run/model.safetensors", f"{folder}/run/checkpoint-9/model.safetensors")
    os.rename(f"{folder}/run/config.json", f"{folder}/run/checkpoint-9/config.json")
    vocabulary = {f"t{number}": number for number in range(tokens)}
    with open(f"{folder}/run/tokenizer.json", "w", encoding="utf-8") as stream:
        json.dump({"model": {"type": "WordLevel", "vocab": vocabulary}, "added_tokens": []}, stream)


def _after(site: Site) -> None:
    assert site.has("run/checkpoint-9/tokenizer.json")  # noqa: S101 -- an example is a test


def _other_size(folder: str) -> None:
    _write(folder, 48)


_LOG = "OSError: Can't load tokenizer for 'run/checkpoint-9'. Make sure it is the correct path to a directory\n"
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("peft", "transformers")),
    Example(_other_size, None, log=_LOG, applies=False, needs=("peft", "transformers")),
)
