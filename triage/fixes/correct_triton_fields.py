"""Correct fields and values that config.pbtxt does not have.

What it changes: misspelt fields (max_batchsize, inputs), data types and kinds as other tools call them (FP32, float32,
CPU), numbers in quotes, fields at the wrong level (preferred_batch_size at the top), maps written as pairs, fields
given twice. A setting that no config.pbtxt has, such as precision_mode at the top, becomes a comment; for the ONNX
Runtime backend precision_mode is put into its TensorRT accelerator.

When it is wrong: a word may be close to two fields. Then both are proposed, the one that agrees with the model first.
A field that only a newer Triton knows is taken out for this server: update the server instead if it is needed.

Proof: Triton reads the file, loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.config import Config
from triage.tritonrepo.survey import survey
from triage.tritonrepo.unreadable import newer, ways

CAUSES = ("model-config-invalid",)
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each meaning that a refused file may have."""
    found = [way for way in ways(survey(site), fields=True) if isinstance(way, changes.Way)]
    yield from changes.proposals(site, [*found, *newer(survey(site))])


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the corrected lines."""
    changes.apply(site, parameters)


def _misspelt(folder: str) -> None:
    samples.repository(
        folder, samples.CONFIG.replace("max_batch_size", "max_batchsize").replace("TYPE_FP32", "float32")
    )


def _wrong_level(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + 'precision_mode: "INT8"\npreferred_batch_size: [ 4 ]\n')


def _after(site: Site) -> None:
    config = Config(site.text("models/scorer/config.pbtxt"))
    assert config.readable  # noqa: S101
    assert config.max_batch_size == 8  # noqa: S101
    assert {entry.data_type for entry in config.tensors("input") + config.tensors("output")} == {"TYPE_FP32"}  # noqa: S101


EXAMPLES = (
    Example(_misspelt, _after),
    Example(_wrong_level, _after),
    Example(samples.repository, None, applies=False),
)
