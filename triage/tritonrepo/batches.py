"""Batch sizes that cannot stand: above the model, below the request, apart in an ensemble."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.remedy import Refusal
from triage.tritonrepo import ensembles, hints
from triage.tritonrepo.asking import sent_without_batch
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.fitting import enough, fit
from triage.tritonrepo.survey import Model, Survey

_TOO_LARGE = re.compile(r"batch-size must be <= (\d+) for '([^']{1,200})'")


def ways(found: Survey) -> Iterator[Way | Refusal]:
    """Batch sizes as they must be."""
    seen: set[str] = set()
    for way in _all(found):
        if isinstance(way, Refusal):
            yield way
        elif way.new != way.old and (way.path, way.new) not in {(each, way.new) for each in seen}:
            seen.add(way.path)
            yield way


def _all(found: Survey) -> Iterator[Way | Refusal]:
    for model in found.models:
        if model.config is None or not model.config.readable:
            continue
        if not model.config.is_ensemble:
            yield from _by_model(found, model, model.config)
            yield from _by_request(found, model, model.config)
    yield from _refused(found)
    for ensemble in ensembles.ensembles(found):
        yield from _apart(found, ensemble)


def _way(model: Model, config: Config, size: int, why: str, rank: int = 0, around: str = "") -> Way:
    had = config.root.plain("max_batch_size")
    what = f"max_batch_size {size}" + (f" instead of {had}" if had is not None else "") + why
    return Way(
        model.path, config.text, config.put(config.root, "max_batch_size", str(size)).text, what, rank, around=around
    )


def _by_model(found: Survey, model: Model, config: Config) -> Iterator[Way]:
    known = model.interface()
    if known is not None:
        fitted = fit(config, known, hints.wish(found, model))
        if fitted.kinds == {"batch"}:
            yield Way(model.path, config.text, fitted.config.text, ", ".join(fitted.words))
            return
    if config.max_batch_size < 0:
        yield _way(model, config, 0, "")


def _by_request(found: Survey, model: Model, config: Config) -> Iterator[Way]:
    """Requests without the batch dimension that the config wants, or with one that it does not know."""
    without = sent_without_batch(found, model, config)
    known = model.interface()
    if without is True and not (known is not None and known.most):
        yield _way(model, config, 0, ", for requests have no batch dimension")
    elif without is False and (known is None or known.takes_batches is not False):
        joined = ensembles.largest_batch(found, model.name)
        size = joined or (known.most if known else None) or enough(hints.wish(found, model).batch)
        yield _way(model, config, size, ", for requests have a batch dimension")


def _refused(found: Survey) -> Iterator[Way | Refusal]:
    """Requests larger than max_batch_size: raised to what the model takes."""
    for limit, name in dict.fromkeys(_TOO_LARGE.findall(found.site.log)):
        model = found.model(name)
        if model is None or model.config is None or not model.config.readable:
            continue
        most = _most(found, model)
        sent = hints.wish(found, model).batch
        size = most if most is not None else enough(sent, 8 if sent else max(8, 2 * int(limit)))
        if size <= int(limit) or (sent is not None and size < sent):
            more = f", and a request holds {sent}." if sent and sent > int(limit) else ", and a request holds more."
            said = f"{name} takes batches of at most {most if most is not None else limit}{more}"
            yield Refusal(said, f"Send at most {most} at a time.")
            continue
        for each in _together(found, model):
            if each.config is not None and each.config.max_batch_size < size:
                yield _way(each, each.config, size, ", for requests are larger", around=name)


def _together(found: Survey, model: Model) -> list[Model]:
    """A model and, where it is an ensemble, those that it runs."""
    steps = model.config.steps() if model.config is not None else []
    members = [found.model(step.model) for step in steps]
    return [model, *(each for each in members if each is not None and each.config is not None and each.config.readable)]


def _most(found: Survey, model: Model) -> int | None:
    """The largest batch that a model takes; None where it takes any, or says nothing."""
    sizes = []
    for each in _together(found, model)[1:] if model.config is not None and model.config.is_ensemble else [model]:
        known = each.interface()
        if known is not None and known.most is not None:
            sizes.append(known.most)
        elif known is not None and known.takes_batches is False:
            first = [tensor.dims[0] for tensor in known.input if tensor.dims]
            sizes.append(max(first) if known.batch and first else 0)
    return min(sizes) if sizes else None


def _apart(found: Survey, ensemble: Model) -> Iterator[Way]:
    """An ensemble with a larger batch than a model that it runs."""
    config = ensemble.config
    assert config is not None  # noqa: S101 -- ensembles have one
    members = [each for each in _together(found, ensemble)[1:] if each.config is not None]
    low = [each for each in members if each.config is not None and each.config.max_batch_size < config.max_batch_size]
    if not low:
        return
    sent = hints.wish(found, ensemble).batch
    least = min(each.config.max_batch_size for each in low if each.config is not None)
    enough_left = least > 0 and (sent is None or sent <= least)
    if least > 0:
        yield _way(ensemble, config, least, ", for a model in it takes no more", 0 if enough_left else 2)
    for each in low:
        most = _most(found, each)
        if each.config is not None and (most is None or most >= config.max_batch_size) and not enough_left:
            rank = 0 if least == 0 else 1
            why = f", as {ensemble.name} has"
            yield _way(each, each.config, config.max_batch_size, why, rank, ensemble.name)
