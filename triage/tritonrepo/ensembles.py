"""What ensembles say of the models that they join."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from triage.tritonrepo.config import Config, Entry, Step
from triage.tritonrepo.interface import DIRECTIONS, Tensor
from triage.tritonrepo.survey import Model, Survey


class Use(NamedTuple):
    """A step of an ensemble that runs a model."""

    ensemble: Model
    config: Config
    step: Step


def uses(found: Survey, name: str) -> Iterator[Use]:
    """The steps that run a model of this name."""
    for each in ensembles(found):
        assert each.config is not None  # noqa: S101 -- ensembles have one
        for step in each.config.steps():
            if step.model == name:
                yield Use(each, each.config, step)


def ensembles(found: Survey) -> Iterator[Model]:
    """The ensembles whose config can be read."""
    for model in found.models:
        if model.config is not None and model.config.readable and model.config.is_ensemble:
            yield model


def tensors_of(found: Survey, name: str, direction: str) -> dict[str, Tensor]:
    """A model's tensors as the ensembles around it have them: names are the model's, dims without the batch."""
    known: dict[str, Tensor] = {}
    for use in uses(found, name):
        for key, value in use.step.map_of(direction).items():
            entry = carried(found, use.config, value, name)
            known.setdefault(key, Tensor(key, entry.data_type if entry else None, entry.dims if entry else None))
    return known


def carried(found: Survey, config: Config, value: str, but: str = "") -> Entry | None:
    """The tensor of an ensemble: its own input or output, else what a step puts into it or takes out of it.

    Args:
        found: the build.
        config: the ensemble's.
        value: the name inside the ensemble.
        but: a model that is not asked.
    """
    for direction in DIRECTIONS:
        own = config.entry(direction, value)
        if own is not None:
            return own
    for step in config.steps():
        model = found.model(step.model) if step.model != but else None
        if model is None or model.config is None or not model.config.readable:
            continue
        for direction in ("output", "input"):
            for key, held in step.map_of(direction).items():
                entry = model.config.entry(direction, key) if held == value else None
                if entry is not None:
                    return entry
    return None


def largest_batch(found: Survey, name: str) -> int | None:
    """The largest max_batch_size of the ensembles that run a model; None where none does."""
    sizes = [use.config.max_batch_size for use in uses(found, name)]
    return max(sizes) if sizes else None
