"""Run the model instance on the CPU, or on a GPU that is there.

What it changes: instance_group in config.pbtxt. Where the server sees no GPU, KIND_GPU becomes KIND_CPU and the list of
GPUs goes; a list of GPUs beside KIND_CPU goes; GPUs that the server does not have are taken out of the list.

When it is wrong: where the server was meant to have a GPU and only the container does not see it: then start it with
--gpus all. On the CPU answers are the same and come later. A TensorRT plan needs a GPU; there nothing is changed.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.config import Config, Group
from triage.tritonrepo.survey import Model, Survey, survey

CAUSES = ("cuda-unavailable", "model-config-invalid", "backend-init-failed", "ensemble-config-invalid")
SAFETY = "safe"
EVIDENT = False
_GPUS = re.compile(
    r"instance group \S+ of model (?P<model>\S+) specifies invalid or unsupported gpu id \d+\. "
    r"GPUs with [^\n]{0,120}? are:(?P<gpus>[\d, ]*)"
)
_ONLY_GPU = ("tensorrt", "tensorrtllm")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for all models that ask for what the server has not."""
    found = survey(site)
    ways = []
    for model in found.models:
        config = model.config
        if config is None or not config.readable or not config.groups():
            continue
        if found.without_gpu and model.backend in _ONLY_GPU and f"'{model.name}'" in site.log:
            yield Refusal(
                f"{model.name} is a TensorRT plan, and this server sees no GPU.",
                "Start the server where a GPU is visible (docker run --gpus all).",
            )
            continue
        new, words = _mended(found, model, config)
        if words:
            ways.append(changes.Way(model.path, config.text, new.text, ", ".join(dict.fromkeys(words))))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the instance groups."""
    changes.apply(site, parameters)


def _mended(found: Survey, model: Model, config: Config) -> tuple[Config, list[str]]:
    words: list[str] = []
    count = len(config.groups())
    for place in range(count):
        group = config.groups()[place]
        wants_gpu = group.kind == "KIND_GPU" or (group.kind in (None, "KIND_AUTO") and bool(group.gpus))
        there = _there(found, model)
        if wants_gpu and found.without_gpu:
            config = _on_cpu(config, group)
            words.append(f"KIND_CPU instead of {group.kind or 'a list of GPUs'}, for the server sees no GPU")
        elif group.gpus and group.kind in ("KIND_CPU", "KIND_MODEL"):
            config = config.remove(group.node, "gpus")
            words.append(f"no list of GPUs beside {group.kind}")
        elif wants_gpu and there and set(group.gpus) - set(there):
            kept = [gpu for gpu in group.gpus if gpu in there] or there[:1]
            config = config.put_list(group.node, "gpus", kept)
            words.append(f"gpus {kept} instead of {list(group.gpus)}")
    return config, words


def _on_cpu(config: Config, group: Group) -> Config:
    place = [each.node.start for each in config.groups()].index(group.node.start)
    config = config.remove(group.node, "gpus")
    return config.put(config.groups()[place].node, "kind", "KIND_CPU")


def _there(found: Survey, model: Model) -> list[int]:
    """GPUs that the server says it has."""
    for match in _GPUS.finditer(found.site.log):
        if match["model"] == model.name:
            return [int(each) for each in re.findall(r"\d+", match["gpus"])]
    return []


def _on_gpu(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + "instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] } ]\n")


def _on_a_gpu(folder: str) -> None:
    samples.repository(
        folder, samples.CONFIG + "instance_group [\n  {\n    kind: KIND_GPU\n    gpus: [ 0, 3 ]\n  }\n]\n"
    )


def _after(site: Site) -> None:
    groups = Config(site.text("models/scorer/config.pbtxt")).groups()
    assert [(group.kind, group.gpus) for group in groups] == [("KIND_CPU", ())]  # noqa: S101


def _first_gpu(site: Site) -> None:
    groups = Config(site.text("models/scorer/config.pbtxt")).groups()
    assert [(group.kind, group.gpus) for group in groups] == [("KIND_GPU", (0,))]  # noqa: S101


_INVALID = (
    "instance group scorer_0 of model scorer specifies invalid or unsupported gpu id {}. GPUs with at least the "
    "minimum required CUDA compute compatibility of 6.000000 are: {}"
)
EXAMPLES = (
    Example(_on_gpu, _after, log=_INVALID.format(0, "")),
    Example(_on_a_gpu, _first_gpu, log=_INVALID.format(3, "0, 1")),
    Example(_on_gpu, None, applies=False),
)
