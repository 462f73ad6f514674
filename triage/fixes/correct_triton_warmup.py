"""Correct the warm-up requests of a model.

What it changes: model_warmup in config.pbtxt, whose samples Triton sends while the model loads: names, data types and
sizes of their inputs become those of the model's own inputs, and inputs that are left out are filled with zeros. Where
that does not help, the warm-up is taken out: it changes no answer, only how fast the first ones come.

When it is wrong: where the samples are right and the model's inputs are not; then mend_triton_config stands first.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config, Entry
from triage.tritonrepo.lexer import quoted
from triage.tritonrepo.parse import Node
from triage.tritonrepo.survey import Survey, survey
from triage.tritonrepo.words import closest
from triage.tritonrepo.writing import numbers

CAUSES = (
    "model-config-invalid",
    "model-config-mismatch",
    "backend-init-failed",
    "input-name-mismatch",
    "input-dtype-mismatch",
)
SAFETY = "safe"
EVIDENT = True
_SAID = re.compile(r"warmup|Failed to create instance: \[request id|version \d+: [A-Z][a-z ]+: \[request id")


def propose(site: Site) -> Iterator[Proposal]:
    """The samples corrected first, without warm-up second."""
    found = survey(site)
    ways = []
    for model in found.models:
        config = model.config
        if config is None or not config.readable or not config.root.each("model_warmup"):
            continue
        new, words = _corrected(config)
        if words:
            ways.append(Way(model.path, config.text, new.text, ", ".join(words)))
        if words or _refused(found, model.name):
            gone = config.remove(config.root, "model_warmup")
            ways.append(Way(model.path, config.text, gone.text, "no model_warmup", 1))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the samples."""
    changes.apply(site, parameters)


def _refused(found: Survey, name: str) -> bool:
    return f"'{name}'" in found.site.log and bool(_SAID.search(found.site.log))


def _corrected(config: Config) -> tuple[Config, list[str]]:
    words: list[str] = []
    for place in range(len(config.root.each("model_warmup"))):
        for entry in config.tensors("input"):
            config, said = _input(config, place, entry)
            words += said
    return config, words


def _input(config: Config, place: int, entry: Entry) -> tuple[Config, list[str]]:
    """One input of a sample: its name, type and sizes."""
    sample = config.root.each("model_warmup")[place]
    given = {str(node.plain("key")): node for node in sample.each("inputs")}
    names = {each.name for each in config.tensors("input")}
    words = []
    if entry.name not in given:
        free = [name for name in given if name not in names]
        near = closest(entry.name, free, 0.5) or (free if len(free) == len(names) == 1 else [])
        key = given[near[0]].first("key") if near else None
        if key is None:
            return (config, []) if entry.node.plain("optional") is True else _added(config, sample, entry)
        config = config.put_text(key, quoted(entry.name))
        words.append(f"warm-up input {entry.name} instead of {near[0]}")
    value = _value(config, place, entry.name)
    if value is not None and entry.data_type and value.plain("data_type") != entry.data_type:
        config = config.put(value, "data_type", entry.data_type)
        words.append(f"warm-up of {entry.name} {entry.data_type}")
        value = _value(config, place, entry.name)
    if value is not None and entry.dims is not None:
        had = [node.value for node in value.each("dims") if isinstance(node.value, int)]
        wanted = _sizes(entry.dims, had)
        if wanted != had:
            config = config.put_list(value, "dims", wanted)
            words.append(f"warm-up of {entry.name} {wanted} instead of {had}")
    return config, words


def _value(config: Config, place: int, name: str) -> Node | None:
    sample = config.root.each("model_warmup")[place]
    return next((node.first("value") for node in sample.each("inputs") if node.plain("key") == name), None)


def _sizes(dims: tuple[int, ...], had: list[int]) -> list[int]:
    """What fits stays; a size that varies is 1 where the sample gives none."""
    if len(had) != len(dims):
        return [size if size > 0 else 1 for size in dims]
    return [own if own > 0 and size in (-1, own) else max(size, 1) for size, own in zip(dims, had, strict=True)]


def _added(config: Config, sample: Node, entry: Entry) -> tuple[Config, list[str]]:
    if entry.data_type is None or entry.dims is None:
        return config, []
    sizes = numbers([size if size > 0 else 1 for size in entry.dims])
    value = f"{{ data_type: {entry.data_type} dims: {sizes} zero_data: true }}"
    line = f"inputs {{ key: {quoted(entry.name)} value: {value} }}"
    return config.add(sample, line), [f"warm-up with {entry.name}"]


_SAMPLE = (
    'model_warmup [ {{ name: "first" batch_size: 1 '
    'inputs {{ key: "{}" value: {{ data_type: {} dims: [ 6 ] zero_data: true }} }} }} ]\n'
)


def _wrong(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + _SAMPLE.format("feature", "TYPE_FP16"))


def _right(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + _SAMPLE.format("features", "TYPE_FP32"))


def _after(site: Site) -> None:
    wanted = samples.CONFIG + _SAMPLE.format("features", "TYPE_FP32")
    assert site.text("models/scorer/config.pbtxt") == wanted  # noqa: S101


EXAMPLES = (Example(_wrong, _after), Example(_right, None, applies=False))
