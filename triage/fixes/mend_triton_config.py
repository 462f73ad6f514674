"""Correct config.pbtxt from the model.

What it changes: names, data types, dims and number of inputs and outputs in config.pbtxt, so that they are those of
the model: of its ONNX or OpenVINO file, or of model.py as its code shows them. Where the model does not tell, what
the log's refused request sent counts, and what the model before or behind it in an ensemble has. Which side a message
calls "expected" is not trusted; the model is read.

When it is wrong: where the configuration was right and another model file lies in the folder. Then restore that file.
Where clients send what the model does not take, the client must change; nothing is proposed.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, hints, neighbours, samples
from triage.tritonrepo.asking import asked
from triage.tritonrepo.config import Config
from triage.tritonrepo.fitting import Fitted, fit
from triage.tritonrepo.interface import DIRECTIONS
from triage.tritonrepo.survey import Model, Survey, survey

CAUSES = (
    "model-config-mismatch", "model-config-invalid", "input-name-mismatch", "input-dtype-mismatch",
    "input-shape-mismatch", "output-mismatch", "backend-init-failed", "model-code-error", "max-batch-size-mismatch",
    "ensemble-config-invalid", "model-repository-invalid",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each config that disagrees with its model; one for all of them first.

    Where no config does, two models of an ensemble may disagree with each other.
    """
    found = survey(site)
    ways = [way for model in found.models for way in _ways(found, model)]
    yield from changes.proposals(site, ways)
    for way in neighbours.ways(found) if not ways else ():
        yield from [way] if isinstance(way, Refusal) else changes.proposals(site, [way])


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the corrected lines."""
    changes.apply(site, parameters)


def _ways(found: Survey, model: Model) -> Iterator[changes.Way]:
    config = model.config
    if config is None or not config.readable or config.is_ensemble:
        return
    rank = 0
    for fitted in (_by_model(found, model), _by_hints(found, model)):
        if fitted is not None and fitted.kinds - {"batch"}:
            yield changes.Way(model.path, config.text, fitted.config.text, ", ".join(fitted.words), rank)
            rank += 1


def _by_model(found: Survey, model: Model) -> Fitted | None:
    known = model.interface()
    return fit(model.config, known, hints.wish(found, model)) if known and model.config else None


def _by_hints(found: Survey, model: Model) -> Fitted | None:
    """Where the model leaves something open and the log complains: what is sent and expected tells."""
    wish = hints.wish(found, model)
    code = model.python()
    if model.config is None or code is None:
        return asked(found, model, model.config, wish) if wish.complained and model.config is not None else None
    given = {entry.name for direction in DIRECTIONS for entry in model.config.tensors(direction)}
    if not wish.complained and set(code.asks_config) <= given:
        return None
    return asked(found, model, model.config, wish._replace(complained=True))


def _renamed(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace('"features"', '"images"').replace("[ 6 ]", "[ 16 ]"))


def _typed(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace("TYPE_FP32", "TYPE_FP64"))


def _after(site: Site) -> None:
    config = Config(site.text("models/scorer/config.pbtxt"))
    told = [(entry.name, entry.data_type, entry.dims) for entry in config.tensors("input") + config.tensors("output")]
    assert told == [("features", "TYPE_FP32", (6,)), ("score", "TYPE_FP32", (2,))]  # noqa: S101


EXAMPLES = (
    Example(_renamed, _after),
    Example(_typed, _after),
    Example(samples.repository, None, applies=False),
)
