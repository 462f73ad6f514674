"""The ends that wires of an ensemble join: tensors of models, and whether one can stand for another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from triage.tritonrepo.config import Config
from triage.tritonrepo.interface import DIRECTIONS, Tensor, agree
from triage.tritonrepo.survey import Model
from triage.tritonrepo.words import normal


def fits(carried: Tensor | None, wanted: Tensor | None) -> bool:
    """Whether one can stand for the other, as far as types and dims are known."""
    if wanted is None or carried is None:
        return True
    same = not (wanted.data_type and carried.data_type) or wanted.data_type == carried.data_type
    return same and (wanted.dims is None or carried.dims is None or agree(wanted.dims, carried.dims))


def sides_of(member: Model) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
    """Inputs and outputs of a model, by its config, else by its file."""
    config = member.config
    if config is not None and not config.readable:
        return None
    known = member.interface()
    sides: list[Mapping[str, Tensor]] = []
    for direction in DIRECTIONS:
        told = config.tensors(direction) if config is not None else []
        if told:
            optional = {entry.name: entry.node.plain("optional") is True for entry in told}
            sides.append(
                {entry.name: Tensor(entry.name, entry.data_type, entry.dims, optional[entry.name]) for entry in told}
            )
        elif known is not None and direction in known.complete:
            sides.append(_named(known.of(direction)))
        else:
            return None
    return dict(sides[0]), dict(sides[1])


def _named(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    return {tensor.name: tensor._replace(dims=None) for tensor in tensors}


def outputs(config: Config) -> set[str]:
    """Names of the ensemble's own outputs."""
    return {entry.name for entry in config.tensors("output")}


def same_batch(config: Config, member: Model | None) -> bool:
    """Whether dims mean the same in both: with a batch in front, or without one."""
    return (
        member is not None
        and member.config is not None
        and (member.config.max_batch_size > 0) == (config.max_batch_size > 0)
    )


def likeness(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1."""
    return difflib.SequenceMatcher(None, normal(one), normal(other)).ratio()
