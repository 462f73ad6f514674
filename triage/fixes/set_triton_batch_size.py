"""Set max_batch_size to what the model and its clients need.

What it changes: max_batch_size in config.pbtxt. One above what the model declares is lowered to it; one below what
clients send is raised to what the model declares, never above; 0 for a model without a batch dimension. Ensembles and
the models that they run are changed together.

When it is wrong: a model that declares nothing and takes any batch gets a power of two that the stored requests fit
into (at least 8). Choose more by measuring. Where the model itself takes no larger batch, clients must send less.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.batches import ways
from triage.tritonrepo.config import Config
from triage.tritonrepo.survey import survey

CAUSES = (
    "max-batch-size-mismatch", "model-config-mismatch", "model-config-invalid", "input-shape-mismatch",
    "ensemble-config-invalid", "backend-init-failed",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each config whose batch size cannot stand; one for all of them first."""
    found = list(ways(survey(site)))
    yield from changes.proposals(site, (way for way in found if isinstance(way, changes.Way)))
    yield from (way for way in found if isinstance(way, Refusal))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the batch sizes."""
    changes.apply(site, parameters)


def _too_large(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace("max_batch_size: 8", "max_batch_size: 64"))


def _too_small(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace("max_batch_size: 8", "max_batch_size: 2"))


def _after(site: Site) -> None:
    assert Config(site.text("models/scorer/config.pbtxt")).max_batch_size == 8  # noqa: S101


_REFUSED = "[400] [request id: <id_unknown>] inference request batch-size must be <= 2 for 'scorer'"
EXAMPLES = (
    Example(_too_large, _after),
    Example(_too_small, _after, log=_REFUSED),
    Example(samples.repository, None, applies=False),
)
