"""Bring batching settings within the model's batch size.

What it changes: preferred_batch_size above max_batch_size, or not above 0, is taken out; dynamic_batching of a model
that takes no batches is taken out; settings that an ensemble must not have (instance_group, optimization,
model_warmup) are taken out, for they belong to the models that it runs.

When it is wrong: where max_batch_size is too small and the preferred sizes are right. Where the model declares a
larger batch, raising max_batch_size is proposed as the second way.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.parse import Node
from triage.tritonrepo.survey import Model, survey

CAUSES = ("model-config-invalid", "max-batch-size-mismatch", "ensemble-config-invalid")
SAFETY = "safe"
EVIDENT = True
_NOT_OF_ENSEMBLES = ("instance_group", "optimization", "model_warmup")


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each config with settings that cannot hold."""
    ways = [way for model in survey(site).models for way in _ways(model)]
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the settings."""
    changes.apply(site, parameters)


def _ways(model: Model) -> Iterator[Way]:
    config = model.config
    if config is None or not config.readable:
        return
    if config.is_ensemble:
        yield from _of_ensemble(model, config)
        return
    largest = config.max_batch_size
    for holder in _holders(config):
        given = [node.value for node in holder.each("preferred_batch_size") if isinstance(node.value, int)]
        kept = [size for size in given if 0 < size <= largest]
        if kept == given:
            continue
        new = (
            config.put_list(holder, "preferred_batch_size", kept)
            if kept
            else config.remove(holder, "preferred_batch_size")
        )
        what = f"preferred_batch_size {kept or 'left out'} instead of {given}, for max_batch_size is {largest}"
        yield Way(model.path, config.text, new.text, what)
        known = model.interface()
        if known is not None and known.most is not None and known.most >= max(given) > largest and min(given) > 0:
            raised = config.put(config.root, "max_batch_size", str(max(given)))
            what = f"max_batch_size {max(given)} instead of {largest}, as preferred_batch_size wants"
            yield Way(model.path, config.text, raised.text, what, 1)


def _of_ensemble(model: Model, config: Config) -> Iterator[Way]:
    names = [name for name in _NOT_OF_ENSEMBLES if any(field.name == name for field in config.root.fields)]
    new = config
    for name in names:
        new = new.remove(new.root, name)
    if names:
        yield Way(model.path, config.text, new.text, f"an ensemble has no {' and no '.join(names)}")


def _holders(config: Config) -> Iterator[Node]:
    dynamic, sequence = config.root.first("dynamic_batching"), config.root.first("sequence_batching")
    oldest = sequence.first("oldest") if sequence else None
    yield from (node for node in (dynamic, oldest) if node is not None)


def _too_large(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + "dynamic_batching { preferred_batch_size: [ 4, 16 ] }\n")


def _fitting(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + "dynamic_batching { preferred_batch_size: [ 4, 8 ] }\n")


def _after(site: Site) -> None:
    dynamic = Config(site.text("models/scorer/config.pbtxt")).root.first("dynamic_batching")
    assert dynamic is not None  # noqa: S101
    assert [node.value for node in dynamic.each("preferred_batch_size")] == [4]  # noqa: S101


EXAMPLES = (Example(_too_large, _after), Example(_fitting, None, applies=False))
