"""Mend the text of config.pbtxt.

What it changes: brackets, braces, quotes, commas and colons that are missing, surplus or of the wrong kind, comments
of other languages, typographic characters; a file in JSON or YAML becomes protobuf text. Fields keep their values.
The edits are searched: the cheapest ones after which the whole file can be read are taken. Comments and layout stay.

When it is wrong: a file can be mended in several ways. Where two of them differ in meaning both are proposed, the one
that agrees with the model first. Where nothing plausible helps, nothing is changed.

Proof: Triton reads the file, loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.config import Config
from triage.tritonrepo.survey import survey
from triage.tritonrepo.unreadable import ways

CAUSES = ("model-config-invalid",)
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each meaning that a broken file may have."""
    found = list(ways(survey(site), fields=False))
    yield from changes.proposals(site, (way for way in found if isinstance(way, changes.Way)))
    yield from (way for way in found if isinstance(way, Refusal))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the mended lines."""
    changes.apply(site, parameters)


def _without_brackets(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace("    dims: [ 6 ]\n  }\n]\n", "    dims: [ 6 ]\n"))


def _with_equals(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace("name: ", "name = "))


def _as_json(folder: str) -> None:
    text = (
        '{"name": "scorer", "backend": "python", "max_batch_size": 8, '
        '"input": [{"name": "features", "data_type": "TYPE_FP32", "dims": [6]}], '
        '"output": [{"name": "score", "data_type": "TYPE_FP32", "dims": [2]}]}'
    )
    samples.repository(folder, text)


def _after(site: Site) -> None:
    config = Config(site.text("models/scorer/config.pbtxt"))
    assert config.readable  # noqa: S101
    told = [(entry.name, entry.data_type, entry.dims) for entry in config.tensors("input") + config.tensors("output")]
    assert told == [("features", "TYPE_FP32", (6,)), ("score", "TYPE_FP32", (2,))]  # noqa: S101
    assert config.max_batch_size == 8  # noqa: S101


EXAMPLES = (
    Example(_without_brackets, _after),
    Example(_with_equals, _after),
    Example(_as_json, _after),
    Example(samples.repository, None, applies=False),
)
