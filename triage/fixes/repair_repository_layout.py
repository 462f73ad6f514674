"""Put folders and file names of the model repository right.

What it changes: where files and folders of the repository stand: a version folder that is missing or not a number, a
model file under another name or at another level, config.pbtxt in the version folder or under another name, models one
level too deep or too shallow, the version folder of an ensemble, folders that are no models. Contents stay as they are.

When it is wrong: where other programs look for the old paths. Where two files could be the model nothing is moved.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import moves, samples
from triage.tritonrepo.levels import plans
from triage.tritonrepo.survey import survey

CAUSES = (
    "model-repository-invalid", "model-config-invalid", "model-file-missing", "model-not-found", "request-timeout",
    "backend-init-failed", "server-unreachable", "ensemble-config-invalid",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each thing that stands wrong, those that keep the names of files last."""
    found = list(plans(survey(site)))
    yield from moves.proposals(site, (plan for plan in found if isinstance(plan, moves.Plan)))
    yield from (plan for plan in found if isinstance(plan, Refusal))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Moves the files."""
    moves.apply(site, parameters)


def _named_version(folder: str) -> None:
    samples.repository(folder, file="v2/model.py")


def _no_version(folder: str) -> None:
    samples.repository(folder, file="model.py")


def _other_name(folder: str) -> None:
    samples.repository(folder, file="2/scorer.py")


def _config_inside(folder: str) -> None:
    samples.repository(folder, config=None, file="2/model.py")
    samples.put(folder, "models/scorer/2/config.pbtxt", samples.CONFIG)


def _version_two(site: Site) -> None:
    assert site.text("models/scorer/2/model.py") == samples.MODEL  # noqa: S101
    assert site.text("models/scorer/config.pbtxt") == samples.CONFIG  # noqa: S101


def _version_one(site: Site) -> None:
    assert site.text("models/scorer/1/model.py") == samples.MODEL  # noqa: S101
    assert not site.has("models/scorer/model.py")  # noqa: S101


EXAMPLES = (
    Example(_named_version, _version_two),
    Example(_no_version, _version_one),
    Example(_other_name, _version_two),
    Example(_config_inside, _version_two),
    Example(samples.repository, None, applies=False),
)
