"""Two models of an ensemble that disagree about the tensor between them, and which of them has to give way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.remedy import Refusal
from triage.tritonrepo import ensembles
from triage.tritonrepo.changes import Way
from triage.tritonrepo.interface import DIRECTIONS, agree

if TYPE_CHECKING:
    from triage.tritonrepo.config import Config, Entry
    from triage.tritonrepo.survey import Model, Survey

_SAID = re.compile(
    r"in ensemble (?P<ensemble>[^\s,]{1,200}), ensemble tensor (?P<tensor>[^\s:]{1,200}): "
    r"inconsistent (?P<what>data type|shape): (?P<one>\S[^:]{0,200}?) is inferred from model (?P<first>[^\s\"]{1,200}) "
    r"while (?P<other>\S[^:]{0,200}?) is inferred from model (?P<second>[^\s\"|]{1,200})"
)


class End(NamedTuple):
    """A model's tensor at one end of the wire; ``sure`` where the model itself says what its config says."""

    model: Model
    config: Config
    entry: Entry
    sure: bool


def ways(found: Survey) -> Iterator[Way | Refusal]:
    """For each disagreement of the log: the config that follows the other one, else why neither can."""
    for match in _SAID.finditer(found.site.log):
        typed = match["what"] == "data type"
        ends = [_end(found, match, name, typed=typed) for name in (match["first"], match["second"])]
        one, other = ends
        if one is None or other is None or _same(one, other, typed=typed):
            continue
        if one.sure and other.sure:
            yield Refusal(
                f"{one.model.name} and {other.model.name} disagree about {match['tensor']} "
                f"({match['one']} and {match['other']}), and each does what its config.pbtxt says: "
                "Triton does not convert between steps.",
                f"Put a step between {one.model.name} and {other.model.name} that converts it.",
            )
            continue
        for rank, (end, like) in enumerate(((one, other), (other, one))):
            if not end.sure:
                yield _way(found, end, like, rank if not like.sure else 0, match["ensemble"], typed=typed)


def _end(found: Survey, match: re.Match[str], name: str, *, typed: bool) -> End | None:
    model = found.model(name)
    if model is None or name == match["ensemble"] or model.config is None or not model.config.readable:
        return None
    for use in ensembles.uses(found, name):
        for direction in DIRECTIONS:
            for key, value in use.step.map_of(direction).items():
                entry = model.config.entry(direction, key)
                if use.ensemble.name == match["ensemble"] and value == match["tensor"] and entry is not None:
                    return End(model, model.config, entry, _sure(model, direction, entry, typed=typed))
    return None


def _sure(model: Model, direction: str, entry: Entry, *, typed: bool) -> bool:
    known = model.interface()
    told = known.named(direction, entry.name) if known is not None else None
    if told is None or known is None:
        return False
    if typed:
        return told.data_type == entry.data_type
    dims = known.dims(told, model.config.max_batch_size if model.config is not None else 0)
    return dims is not None and -1 not in dims and entry.dims is not None and agree(dims, entry.dims)


def _same(one: End, other: End, *, typed: bool) -> bool:
    if typed:
        return one.entry.data_type == other.entry.data_type or None in (one.entry.data_type, other.entry.data_type)
    batched = (one.config.max_batch_size > 0) != (other.config.max_batch_size > 0)
    return batched or one.entry.dims == other.entry.dims or None in (one.entry.dims, other.entry.dims)


def _way(found: Survey, end: End, like: End, rank: int, ensemble: str, *, typed: bool) -> Way:
    told, config = end.entry.name, end.config
    if typed:
        old, now = end.entry.data_type, like.entry.data_type
        new = config.put(end.entry.node, "data_type", now or "")
        words = f"{told} {now} instead of {old}, as {like.model.name} has it"
    else:
        had, dims = end.entry.dims or (), like.entry.dims or ()
        new = config.put_list(end.entry.node, "dims", dims)
        words = f"{told} {list(dims)} instead of {list(had)}, as {like.model.name} has it"
    safety = None if found.site.verify else "unsafe"  # the code may still mean the other one
    return Way(end.model.path, config.text, new.text, words, rank, safety, ensemble)
