"""Make dims and reshape hold the same number of elements.

What it changes: in config.pbtxt, the reshape of an input or output whose shape holds another number of elements than
its dims, or those dims. What the model itself and the stored requests have goes first; then the reshape of another
tensor with the same dims, dims without their ones, no reshape, and a shape with one number put right.

When it is wrong: several shapes can hold the same elements in another order. So where the model does not tell, a
shape is only tried if the outputs are compared.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, hints, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config, Entry
from triage.tritonrepo.interface import DIRECTIONS, agree
from triage.tritonrepo.survey import Model, Survey, survey

CAUSES = ("model-config-invalid", "model-config-mismatch")
SAFETY = "safe"
EVIDENT = True
_MOST = 5


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each such tensor: what it can be, the surest first."""
    found = survey(site)
    for model in found.models:
        config = model.config
        for direction in DIRECTIONS if config is not None and config.readable else ():
            for entry in config.tensors(direction) if config is not None else ():
                if config is not None and _apart(entry):
                    yield from _of(found, model, config, direction, entry)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the dims or the shape."""
    changes.apply(site, parameters)


def _apart(entry: Entry) -> bool:
    both = (entry.dims, entry.reshape)
    return all(each is not None and -1 not in each for each in both) and len(set(map(_size, both))) > 1


def _size(shape: tuple[int, ...] | None) -> int:
    return math.prod(shape or ())


def _of(found: Survey, model: Model, config: Config, direction: str, entry: Entry) -> Iterator[Proposal | Refusal]:
    known = model.interface()
    tensor = known.named(direction, entry.name) if known is not None else None
    inner = known.dims(tensor, config.max_batch_size) if known is not None and tensor is not None else None
    if inner is not None and -1 not in inner and _size(inner) == _size(entry.dims):
        new = config.remove(entry.node, "reshape") if inner == entry.dims else _shaped(config, entry, inner)
        yield from changes.proposals(found.site, [_way(model, config, new, entry, inner, 0)])
        return
    if inner is not None and entry.reshape is not None and agree(inner, entry.reshape):
        outer = _stored(found, model, config, entry)
        if outer is not None:
            words = f"{entry.name} {list(outer)} instead of {list(entry.dims or ())}, as requests send it"
            new = config.put_list(entry.node, "dims", outer)
            yield from changes.proposals(found.site, [Way(model.path, config.text, new.text, words)])
            return
    if not found.site.verify:
        why = f"dims and reshape of {entry.name} in {model.path} hold different numbers of elements"
        yield Refusal(f"{why}, and nothing tells which of them is right.", f"Correct {entry.name} by hand.")
        return
    for rank, shape in enumerate(_candidates(config, entry)):
        new = config.remove(entry.node, "reshape") if shape == entry.dims else _shaped(config, entry, shape)
        way = _way(model, config, new, entry, shape, rank)
        for proposal in changes.proposals(found.site, [way]):
            yield proposal._replace(rank=rank, guess=True)


def _candidates(config: Config, entry: Entry) -> list[tuple[int, ...]]:
    """What the model may take: shapes of as many elements as the dims."""
    dims, wrong = entry.dims or (), entry.reshape or ()
    like = [
        other.reshape for direction in DIRECTIONS for other in config.tensors(direction)
        if other.dims == dims and other.reshape is not None and not _apart(other)
    ]  # fmt: skip
    squeezed = tuple(size for size in dims if size != 1)
    mended = [
        (*wrong[:place], _size(dims) * size // _size(wrong), *wrong[place + 1 :])
        for place, size in enumerate(wrong) if _size(wrong) and _size(dims) * size % _size(wrong) == 0
    ]  # fmt: skip
    found = [*like, *([squeezed] if squeezed != dims else []), dims, *mended]
    return list(dict.fromkeys(shape for shape in found if _size(shape) == _size(dims)))[:_MOST]


def _stored(found: Survey, model: Model, config: Config, entry: Entry) -> tuple[int, ...] | None:
    tensor = hints.sent(found, model).get(entry.name)
    if tensor is None or tensor.dims is None:
        return None
    dims = tensor.dims[1:] if config.max_batch_size > 0 else tensor.dims
    return dims if _size(dims) == _size(entry.reshape) else None


def _shaped(config: Config, entry: Entry, shape: tuple[int, ...]) -> Config:
    inner = entry.node.first("reshape")
    return config.put_list(inner, "shape", shape) if inner is not None else config


def _way(model: Model, config: Config, new: Config, entry: Entry, shape: tuple[int, ...], rank: int) -> Way:
    had = list(entry.reshape or ())
    words = f"without reshape {had}" if shape == entry.dims else f"with reshape {list(shape)} instead of {had}"
    return Way(model.path, config.text, new.text, f"{entry.name} {words}", rank)


def _reshaped(shape: str) -> str:
    return samples.CONFIG.replace("dims: [ 6 ]", f"dims: [ 6 ]\n    reshape {{ shape: {shape} }}")


def _wrong(folder: str) -> None:
    samples.repository(folder, _reshaped("[ 3 ]"))


def _right(folder: str) -> None:
    samples.repository(folder, _reshaped("[ 2, 3 ]"))


def _after(site: Site) -> None:
    entry = Config(site.text("models/scorer/config.pbtxt")).tensors("input")[0]
    assert (entry.dims, entry.reshape) == ((6,), None)  # noqa: S101


EXAMPLES = (
    Example(_wrong, _after),
    Example(_right, None, applies=False),
)
