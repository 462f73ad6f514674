"""What is known of a model's tensors where its file does not tell: from requests, expected answers and ensembles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from triage.tritonrepo import ensembles, requests
from triage.tritonrepo.fitting import Wish
from triage.tritonrepo.interface import DIRECTIONS, Interface, Tensor

if TYPE_CHECKING:
    from triage.tritonrepo.survey import Model, Survey

_GOT = re.compile(r"for model '(?P<model>[^']{1,200})'\. Got input\(s\) \[(?P<names>[^\]]{0,2000})\]")
_WRONG_TYPE = re.compile(
    r"inference input '[^']{1,200}' data-type is '\w{1,20}', but model '(?P<model>[^']{1,200})' expects"
)
_WRONG_SHAPE = re.compile(
    r"unexpected shape for input '(?P<tensor>[^']{1,200})' for model '(?P<model>[^']{1,200})'\. "
    r"Expected \[(?P<want>[-\d, ]*)\], got \[(?P<got>[-\d, ]*)\]"
)
_LACKS = re.compile(
    r"for model '(?P<model>[^']{1,200})'[^\n]{0,2000}?missing required input\(s\) \[(?P<lacks>[^\]]{0,2000})\]"
)
_REQUIRED = re.compile(
    r"model '(?P<model>[^']{1,200})', tensor '(?P<tensor>[^']{1,200})': the model expects optional False"
)
_OF_MODEL = (
    r"(?:unexpected inference (?:input|output) '[^']{1,200}'|expected \d+ inputs but got \d+ inputs) for model '%s'"
)


def wish(found: Survey, model: Model) -> Wish:
    """What clients send to a model, and whether the log complains of its tensors."""
    site = found.site
    arrays = sent(found, model)
    names = set(arrays)
    for match in _GOT.finditer(site.log):
        if match["model"] == model.name:
            names |= {name.strip(" '\"") for name in match["names"].split(",") if name.strip(" '\"")}
    sizes = [tensor.dims[0] for held in _all_sent(found, model) for tensor in held.values() if tensor.dims]
    lacking = [match["lacks"] for match in _LACKS.finditer(site.log) if match["model"] == model.name]
    left_out = {name.strip(" '\"") for text in lacking for name in text.split(",")}
    required = {match["tensor"] for match in _REQUIRED.finditer(site.log) if match["model"] == model.name}
    largest = max(sizes) if sizes else None
    return Wish(names, largest, found.strict, complained(site.log, model.name), left_out, required)


def sent(found: Survey, model: Model) -> dict[str, Tensor]:
    """The arrays that clients send to a model, with their sizes as stored."""
    return requests.fed(found.site, model.name, _names(model, "input"), _names(model, "output"))


def _all_sent(found: Survey, model: Model) -> Iterator[dict[str, Tensor]]:
    return requests.all_fed(found.site, model.name, _names(model, "input"), _names(model, "output"))


def complained(log: str, model: str) -> bool:
    """Whether the log refuses a request, or the model, because of its tensors."""
    name = re.escape(model)
    if re.search(_OF_MODEL % name, log):
        return True
    if any(match["model"] == model for pattern in (_WRONG_TYPE, _WRONG_SHAPE) for match in pattern.finditer(log)):
        return True
    lacking = r"(?:must specify '(?:dims|data_type)'|dimension must be)"
    before = rf"'{name}'[^\n]{{0,300}}(?:{lacking}|configuration expects|model expects)"
    return bool(re.search(before, log) or re.search(rf"{lacking}[^\n]{{0,200}} for {name}\b", log))


def completed(found: Survey, model: Model, known: Interface | None) -> Interface:
    """The interface with gaps filled: first by ensembles, then by what is sent and expected.

    Dims begin with the batch where one is known to be there; nothing that the model itself says is changed.
    """
    base = known or Interface("what is sent and expected", batch=True, exact=False)
    hinted = {direction: _hints(found, model, base, direction) for direction in DIRECTIONS}
    tensors = {}
    for direction in DIRECTIONS:
        own = {tensor.name: _filled(tensor, hinted[direction].get(tensor.name)) for tensor in base.of(direction)}
        if direction not in base.complete:
            own = {**hinted[direction], **own}
        tensors[direction] = tuple(own.values())
    told = {tensor.name for tensor in base.tensors if tensor.dims is not None}
    rough = tuple(tensor.name for each in tensors.values() for tensor in each if tensor.name not in told)
    return base._replace(input=tensors["input"], output=tensors["output"], rough=rough)


def _hints(found: Survey, model: Model, base: Interface, direction: str) -> dict[str, Tensor]:
    joined = ensembles.tensors_of(found, model.name, direction)
    batch = ensembles.largest_batch(found, model.name)
    if base.batch and batch:
        joined = {
            name: tensor._replace(dims=(-1, *tensor.dims)) if tensor.dims is not None else tensor
            for name, tensor in joined.items()
        }
    stored = _stored(found, model, direction)
    return {**stored, **{name: _filled(tensor, stored.get(name)) for name, tensor in joined.items()}}


def _stored(found: Survey, model: Model, direction: str) -> dict[str, Tensor]:
    """Arrays on the disk: any size may vary, so only their rank counts."""
    arrays = sent(found, model)
    if direction == "output":
        known = requests.mentioned(found.site, model.name)
        held = requests.held(found.site, _names(model, "output")) if known else {}
        arrays = {name: tensor for name, tensor in held.items() if name not in arrays}
    return {
        name: tensor._replace(dims=tuple(-1 for _ in tensor.dims) if tensor.dims is not None else None)
        for name, tensor in arrays.items()
    }


def _filled(tensor: Tensor, other: Tensor | None) -> Tensor:
    if other is None:
        return tensor
    return tensor._replace(
        data_type=tensor.data_type or other.data_type, dims=tensor.dims if tensor.dims is not None else other.dims
    )


def _names(model: Model, direction: str) -> set[str]:
    known = model.interface()
    names = {tensor.name for tensor in known.of(direction)} if known else set()
    if model.config is not None and model.config.readable:
        names |= {entry.name for entry in model.config.tensors(direction)}
    return names
