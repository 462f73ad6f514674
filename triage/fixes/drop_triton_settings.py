"""Take out settings that this model cannot have.

What it changes: settings in config.pbtxt that the server refuses for this model: is_shape_tensor,
is_non_linear_format_io and optimization profiles outside TensorRT, a format for tensors that are no images,
label_filename of a file that is nowhere, a runtime that is not there. A value is corrected where only one can be meant:
FORCE_CPU_ONLY_INPUT_TENSORS takes yes and no, and priority_levels needs a default_priority_level. What a tensor holds
is not touched.

When it is wrong: where the setting shows that another backend was meant; then set the backend.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.interface import DIRECTIONS
from triage.tritonrepo.layout import joined
from triage.tritonrepo.parse import Node
from triage.tritonrepo.survey import Model, Survey, survey

CAUSES = ("model-config-invalid", "configuration-error", "backend-missing", "model-file-missing", "backend-init-failed")
SAFETY = "safe"
EVIDENT = False
_ONLY_TENSORRT = ("is_shape_tensor", "is_non_linear_format_io")
_YES, _NO = ("true", "1", "on", "enable", "enabled", "y"), ("false", "0", "off", "disable", "disabled", "n")
_FORCED = "FORCE_CPU_ONLY_INPUT_TENSORS"


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each config with settings that the log refuses."""
    found = survey(site)
    ways = []
    for model in found.models:
        config = model.config
        if config is None or not config.readable or model.name not in site.log:
            continue
        new, words = config, list[str]()
        for step in (_tensors, _labels, _groups, _parameters, _priorities, _runtime):
            new, said = step(found, model, new)
            words += said
        if words:
            ways.append(Way(model.path, config.text, new.text, ", ".join(words)))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the config without the settings."""
    changes.apply(site, parameters)


def _tensors(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    words = []
    for direction in DIRECTIONS:
        for place in range(len(config.tensors(direction))):
            for name in _ONLY_TENSORRT if model.backend != "tensorrt" else ():
                node = config.tensors(direction)[place].node
                if node.plain(name) is True:
                    config = config.remove(node, name)
                    words.append(f"no {name}")
            entry = config.tensors(direction)[place]
            images = entry.dims is not None and len(entry.dims) == 3
            if entry.node.plain("format") and not images:
                config = config.remove(entry.node, "format")
                words.append(f"no format of {entry.name}")
    return config, words


def _labels(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    words = []
    for place in range(len(config.tensors("output"))):
        node = config.tensors("output")[place].node
        name = node.plain("label_filename")
        if name and not found.site.has(joined(model.folder.path, str(name))):
            config = config.remove(node, "label_filename")
            words.append(f"no label_filename, for {name} is not there")
    return config, words


def _groups(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    words = []
    for place in range(len(config.groups())):
        node = config.groups()[place].node
        if node.each("profile") and model.backend != "tensorrt":
            config = config.remove(node, "profile")
            words.append("no optimization profile")
    return config, words


def _parameters(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    for node in config.root.each("parameters"):
        value = node.first("value")
        said = value.first("string_value") if value else None
        word = str(said.value).lower() if said else ""
        if node.plain("key") == _FORCED and said is not None and word in (*_YES, *_NO):
            new = "yes" if word in _YES else "no"
            return config.put_text(said, f'"{new}"'), [f"{_FORCED} {new} instead of {said.value}"]
    return config, []


def _priorities(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    dynamic: Node | None = config.root.first("dynamic_batching")
    levels = dynamic.plain("priority_levels") if dynamic else None
    default = dynamic.plain("default_priority_level") if dynamic else None
    if (
        dynamic is None
        or not isinstance(levels, int)
        or not levels
        or (isinstance(default, int) and 0 < default <= levels)
    ):
        return config, []
    level = (levels + 1) // 2
    return config.put(dynamic, "default_priority_level", str(level)), [f"default_priority_level {level}"]


def _runtime(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    name = config.word("runtime")
    lacking = f"unable to find backend library '{name}' for model '{model.name}'" in found.site.log
    if name is None or not lacking or found.site.has(joined(model.folder.path, os.path.basename(name))):
        return config, []
    return config.remove(config.root, "runtime"), [f"no runtime {name}, which is not there"]


def _shape_tensor(folder: str) -> None:
    text = samples.CONFIG.replace(
        "    dims: [ 6 ]\n", "    dims: [ 6 ]\n    is_shape_tensor: true\n    format: FORMAT_NCHW\n"
    )
    samples.repository(folder, text)


def _after(site: Site) -> None:
    assert site.text("models/scorer/config.pbtxt") == samples.CONFIG  # noqa: S101


_LOG = "failed to load 'scorer' version 1: Invalid argument: shape tensors are only supported for TensorRT platform for"
EXAMPLES = (
    Example(_shape_tensor, _after, log=_LOG),
    Example(samples.repository, None, log=_LOG, applies=False),
)
