"""Correct the maps between the ensemble's steps.

What it changes: in the config.pbtxt of an ensemble: keys that are no tensors of the model that the step runs, names
inside the ensemble that nothing writes or reads, the model's name, a version that is not there, and the ensemble's
own data types and dims. Where names and types leave several wirings, each is tried only if outputs are compared.

When it is wrong: where a step's model is missing, or two models truly disagree in type or shape: Triton does not
convert, so a step between them is needed. Then nothing is changed.

Proof: Triton loads the ensemble and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, ensembles, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.survey import survey
from triage.tritonrepo.wiring import rewired

CAUSES = (
    "ensemble-config-invalid",
    "model-config-invalid",
    "model-config-mismatch",
    "model-repository-invalid",
    "model-not-found",
)
SAFETY = "safe"
EVIDENT = True
_MOST_VARIANTS = 6


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each ensemble whose parts do not fit."""
    found = survey(site)
    ways: list[Way] = []
    for model in ensembles.ensembles(found):
        assert model.config is not None  # noqa: S101 -- ensembles have one
        new = rewired(found, model, model.config)
        if new.open:
            yield Refusal(new.open[0], "Correct the maps of the ensemble by hand.")
        elif new.guesses and not site.verify:
            yield Refusal(
                f"several wirings of {model.name} are possible, and the build compares no outputs.",
                "Correct the maps of the ensemble by hand, or add a [verify] that compares its outputs.",
            )
        elif new.words:
            others = range(1, _MOST_VARIANTS) if new.guesses else ()
            for rank, each in enumerate([new, *(rewired(found, model, model.config, variant) for variant in others)]):
                ways.append(Way(model.path, model.config.text, each.config.text, ", ".join(each.words), rank))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the maps."""
    changes.apply(site, parameters)


def _wrong_key(folder: str) -> None:
    samples.ensemble(
        folder, samples.ENSEMBLE.replace('key: "features"', 'key: "INPUT0"').replace('key: "score"', 'key: "scores"')
    )


def _wrong_value(folder: str) -> None:
    samples.ensemble(folder, samples.ENSEMBLE.replace('value: "X"', 'value: "x_in"').replace("model_version: -1 ", ""))


def _after(site: Site) -> None:
    step = Config(site.text("models/flow/config.pbtxt")).steps()[0]
    assert (step.input_map, step.output_map) == ({"features": "X"}, {"score": "Y"})  # noqa: S101
    assert step.version == -1  # noqa: S101


EXAMPLES = (
    Example(_wrong_key, _after),
    Example(_wrong_value, _after),
    Example(samples.ensemble, None, applies=False),
)
