"""Everything that can be seen wrong in a repository before a server starts, in Triton's words where it has some."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from triage.remedy import Refusal
from triage.site import Site
from triage.tritonrepo import batches, ensembles, layout, levels
from triage.tritonrepo.config import Config
from triage.tritonrepo.fitting import Wish, fit
from triage.tritonrepo.survey import Model, Survey
from triage.tritonrepo.wiring import rewired
from triage.workspace import Workspace


class Finding(NamedTuple):
    """One thing that is wrong: the model, what Triton would say or do, and what would put it right (may be empty)."""

    model: str
    what: str
    cure: str = ""


def check(repository: str) -> list[Finding]:
    """Checks a repository.

    Args:
        repository: the path of its folder.
    """
    root, name = os.path.split(os.path.abspath(repository))
    site = Site(Workspace(root, root), (), (".",))
    found = Survey(site)
    found.repositories = (layout.read(root, name),)
    return [finding for group in (_layout(found), _configs(found), _together(found)) for finding in group]


def _layout(found: Survey) -> Iterator[Finding]:
    for plan in levels.plans(found):
        if isinstance(plan, Refusal):
            yield Finding("", plan.why, plan.todo)
        elif plan.rank == 0:
            yield Finding(os.path.basename(plan.model), "the layout is wrong", plan.what)


def _configs(found: Survey) -> Iterator[Finding]:
    for model in found.models:
        config = model.config
        if config is None:
            continue
        if not config.readable:
            what = f"Error parsing text-format inference.ModelConfig: {config.parsed.where()}"
            yield Finding(model.name, what, f"correct {model.path}")
            continue
        yield from _own(model, config)


def _own(model: Model, config: Config) -> Iterator[Finding]:
    name = config.word("name")
    if name is not None and name != model.name:
        what = f"unexpected directory name '{model.name}' for model '{name}', directory name must equal model name"
        yield Finding(model.name, what, "rename the folder, or take the name out")
    known = model.interface()
    if known is not None and not config.is_ensemble:
        for words in fit(config, known, Wish()).words:
            yield Finding(model.name, f"config.pbtxt disagrees with {known.source}", words)


def _together(found: Survey) -> Iterator[Finding]:
    for ensemble in ensembles.ensembles(found):
        assert ensemble.config is not None  # noqa: S101 -- ensembles have one
        wired = rewired(found, ensemble, ensemble.config)
        for words in wired.words:
            yield Finding(ensemble.name, "the steps of the ensemble do not fit together", words)
        for words in wired.open:
            yield Finding(ensemble.name, words)
    for way in batches.ways(found):
        if not isinstance(way, Refusal):
            yield Finding(os.path.basename(os.path.dirname(way.path)), "the batch size cannot stand", way.what)
