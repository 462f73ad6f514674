"""A config as the refused request needs it, where the model itself leaves the matter open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.tritonrepo import hints
from triage.tritonrepo.fitting import Fitted, Wish, fit
from triage.tritonrepo.interface import agree

if TYPE_CHECKING:
    from triage.tritonrepo.config import Config
    from triage.tritonrepo.survey import Model, Survey

_SHAPE = re.compile(
    r"unexpected shape for input '(?P<tensor>[^']{1,200})' for model '(?P<model>[^']{1,200})'\. "
    r"Expected \[(?P<want>[-\d, ]*)\], got \[(?P<got>[-\d, ]*)\]"
)


def asked(found: Survey, model: Model, config: Config, wish: Wish) -> Fitted | None:
    """The config with names, types and dims as requests and ensembles have them; what the model says goes first."""
    known = hints.completed(found, model, model.interface())
    fitted = fit(config, known, wish)
    now, words, kinds = fitted.config, list(fitted.words), set(fitted.kinds)
    own = model.interface()
    for tensor, shape in _sent(found, model).items():
        entry = now.entry("input", tensor)
        said = own.named("input", tensor) if own else None
        if entry is None or entry.dims is None or (said is not None and said.dims is not None):
            continue
        dims = shape[1:] if now.max_batch_size > 0 else shape
        if now.max_batch_size > 0 and agree(entry.dims, shape):
            continue  # the batch is missing in the request: see set_triton_batch_size
        if now.max_batch_size == 0 and shape and agree(entry.dims, shape[1:]):
            continue
        if not agree(entry.dims, dims):
            wanted = _wider(entry.dims, dims)
            now = now.put_list(entry.node, "dims", wanted)
            words.append(f"{tensor} {list(wanted)} instead of {list(entry.dims)}, for requests send {list(shape)}")
            kinds.add("dims")
    return Fitted(now, tuple(words), frozenset(kinds)) if words else None


def sent_without_batch(found: Survey, model: Model, config: Config) -> bool | None:
    """Whether refused requests leave out the batch that the config wants (True), or bring one against it (False)."""
    said = []
    for tensor, shape in _sent(found, model).items():
        entry = config.entry("input", tensor)
        if entry is None or entry.dims is None:
            return None
        if config.max_batch_size > 0:
            said.append(True if agree(entry.dims, shape) else None)
        else:
            said.append(False if agree((-1, *entry.dims), shape) else None)
    return said[0] if len(set(said)) == 1 else None


def _sent(found: Survey, model: Model) -> dict[str, tuple[int, ...]]:
    """Shapes of refused inputs, with those sent beside them."""
    told = {
        match["tensor"]: tuple(int(each) for each in match["got"].replace(" ", "").split(",") if each)
        for match in _SHAPE.finditer(found.site.log) if match["model"] == model.name
    }  # fmt: skip
    if not told:
        return {}
    arrays = hints.sent(found, model)
    return {**{name: tensor.dims for name, tensor in arrays.items() if tensor.dims is not None}, **told}


def _wider(given: tuple[int, ...], sent: tuple[int, ...]) -> tuple[int, ...]:
    """Dims that take both: what differs varies; another rank is taken over."""
    if len(given) != len(sent):
        return sent
    return tuple(one if one in (other, -1) else -1 for one, other in zip(given, sent, strict=True))
