"""Where a config.pbtxt disagrees with its model, and the config as it must be."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from triage.tritonrepo.config import Config, Entry
from triage.tritonrepo.interface import DIRECTIONS, Interface, Tensor, agree
from triage.tritonrepo.words import normal

_SMALLEST_BATCH = 8  # for a model that takes batches of any size


class Wish(NamedTuple):
    """What is known beside the model: names that clients send, their largest batch, whether gaps must be filled.

    ``left_out`` are inputs that requests lack, ``required`` those that the model declares as not optional.
    """

    sent: Collection[str] = ()
    batch: int | None = None
    strict: bool = False
    complained: bool = False
    left_out: Collection[str] = ()
    required: Collection[str] = ()


class Fitted(NamedTuple):
    """A config that agrees with its model; the changes in words and by kind (batch, name, type, dims, more, less)."""

    config: Config
    words: tuple[str, ...]
    kinds: frozenset[str]


class _Work:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.words: list[str] = []
        self.kinds: set[str] = set()

    def done(self, config: Config, kind: str, words: str) -> None:
        self.config = config
        self.kinds.add(kind)
        self.words.append(words)

    def result(self) -> Fitted:
        return Fitted(self.config, tuple(self.words), frozenset(self.kinds))


def fit(config: Config, model: Interface, wish: Wish) -> Fitted:
    """The config with names, data types, dims and batch size as its model has them."""
    work = _Work(config)
    wanted = batch_size(config, model, wish)
    if wanted is not None and wanted != config.max_batch_size:
        had = config.root.plain("max_batch_size")
        words = f"max_batch_size {wanted}" + (f" instead of {had}" if had is not None else "")
        work.done(config.put(config.root, "max_batch_size", str(wanted)), "batch", words)
    for direction in DIRECTIONS:
        _names(work, model, direction, wish)
        for tensor in model.of(direction):
            _type(work, tensor, direction, wish)
            _dims(work, model, tensor, direction, wish)
            if direction == "input":
                _optional(work, model, tensor, wish)
    return work.result()


def batch_size(config: Config, model: Interface, wish: Wish) -> int | None:
    """The max_batch_size that the model asks for; None where the config's own may stand."""
    given = config.max_batch_size
    if model.most is not None:
        return model.most if given > model.most or given < 0 else None
    if not model.batch:
        return 0 if given < 0 else None
    if given < 0:
        return enough(wish.batch) if model.takes_batches else 0
    without = _all_agree(config, model, skip=1)
    if given == 0 and model.takes_batches and without and not _all_agree(config, model, skip=0):
        return enough(wish.batch)
    if given > 0 and not model.takes_batches and model.exact:
        return 0
    return None


def enough(batch: int | None, least: int = _SMALLEST_BATCH) -> int:
    """A batch size for a model that takes any: a power of two that what is sent fits into."""
    size = least
    while batch is not None and size < batch:
        size *= 2
    return size


def paired(extra: Sequence[Entry], missing: Sequence[Tensor]) -> list[tuple[Entry, Tensor]]:
    """Tensors of the config and of the model that mean the same under two names, the surest first."""
    found = []
    left, free = list(extra), list(missing)
    while left and free:
        scored = [(_alike(one, other, left, free), -left.index(one), one, other) for one in left for other in free]
        best = max(scored, key=lambda row: row[:2])
        if best[0] < (0.9 if len(extra) != len(missing) else 0.0):
            break
        found.append((best[2], best[3]))
        left.remove(best[2])
        free.remove(best[3])
    return found


def _alike(one: Entry, other: Tensor, left: list[Entry], free: list[Tensor]) -> float:
    same = difflib.SequenceMatcher(None, normal(one.name), normal(other.name)).ratio()
    score = same * 2 + (0.5 if left.index(one) == free.index(other) else 0)
    if other.data_type and one.data_type:
        score += 1 if other.data_type == one.data_type else -0.5
    if other.dims is not None and one.dims is not None:
        score += 1 if agree(other.dims, one.dims) or agree(other.dims[1:], one.dims) else -0.5
    return score


def _names(work: _Work, model: Interface, direction: str, wish: Wish) -> None:
    if direction not in model.complete:
        return
    had = work.config.tensors(direction)
    extra = [entry for entry in had if model.named(direction, entry.name) is None]
    missing = [tensor for tensor in model.of(direction) if tensor.name not in {entry.name for entry in had}]
    for entry, tensor in paired(extra, missing) if not _open(extra, missing, model, wish) else ():
        now = work.config.entry(direction, entry.name)
        if now is not None:
            words = f"{direction} {tensor.name} instead of {entry.name or 'no name'}"
            work.done(work.config.put(now.node, "name", f'"{tensor.name}"'), "name", words)
            extra.remove(entry)
            missing.remove(tensor)
    for tensor in missing:
        _add(work, model, tensor, direction, wish)
    for entry in extra:
        _remove(work, entry, model, direction, wish)


def _open(extra: Sequence[Entry], missing: Sequence[Tensor], model: Interface, wish: Wish) -> bool:
    """Several names of which requests have the config's, and the code others: which is which stands nowhere."""
    sent = {entry.name for entry in extra} <= set(wish.sent) and not {tensor.name for tensor in missing} & set(
        wish.sent
    )
    alike = any(normal(entry.name) == normal(tensor.name) for entry in extra for tensor in missing)
    return len(extra) > 1 and sent and not alike and not model.exact


def _add(work: _Work, model: Interface, tensor: Tensor, direction: str, wish: Wish) -> None:
    """A tensor that the model has and the config leaves out; where Triton adds it by itself it may stay out."""
    filled_in = model.exact and not wish.strict
    needed = tensor.name in wish.sent or (direction == "output" and not filled_in) or (wish.strict and model.exact)
    dims = model.dims(tensor, work.config.max_batch_size)
    if not needed or tensor.data_type is None or (filled_in and not wish.complained):
        return
    if dims is None:
        dims = (-1,)
    made = work.config.add_tensor(direction, tensor, tensor.data_type, dims)
    work.done(made, "more", f"{direction} {tensor.name} {tensor.data_type} {list(dims)} added")


def _remove(work: _Work, entry: Entry, model: Interface, direction: str, wish: Wish) -> None:
    """A tensor that the model does not have; one that clients send, or that code may still read, stays."""
    sure = model.exact or (wish.complained and bool(wish.sent))
    if direction == "input" and (entry.name in wish.sent or not sure):
        return
    if direction == "output" and not model.exact:
        return
    now = work.config.entry(direction, entry.name)
    if now is not None and len(work.config.tensors(direction)) > 1:
        words = f"{direction} {entry.name} removed, which the model does not have"
        work.done(work.config.remove_tensor(direction, now.node), "less", words)


def _type(work: _Work, tensor: Tensor, direction: str, wish: Wish) -> None:
    entry = work.config.entry(direction, tensor.name)
    if entry is None or tensor.data_type is None or entry.data_type == tensor.data_type:
        return
    if entry.data_type is None and not (wish.strict or wish.complained):
        return
    words = f"{tensor.name} {tensor.data_type}" + (f" instead of {entry.data_type}" if entry.data_type else "")
    work.done(work.config.put(entry.node, "data_type", tensor.data_type), "type", words)


def _dims(work: _Work, model: Interface, tensor: Tensor, direction: str, wish: Wish) -> None:
    entry = work.config.entry(direction, tensor.name)
    dims = model.dims(tensor, work.config.max_batch_size)
    if entry is None or dims is None or (tensor.name in model.rough and entry.dims is not None):
        return
    if entry.reshape is not None:
        _reshape(work, entry, dims, model)
        return
    if entry.dims is None and not (wish.strict or wish.complained):
        return
    declared = model.source.startswith("auto_complete")
    if entry.dims is not None and (entry.dims == dims if declared else agree(dims, entry.dims)):
        return
    if entry.dims is not None and not dims and entry.dims == (1,):
        return  # a scalar is given as [ 1 ]
    words = f"{tensor.name} {list(dims)}" + (f" instead of {list(entry.dims)}" if entry.dims is not None else "")
    work.done(work.config.put_list(entry.node, "dims", dims), "dims", words)


def _optional(work: _Work, model: Interface, tensor: Tensor, wish: Wish) -> None:
    """An input that the model can do without; where only its code says so, requests must lack it too."""
    entry = work.config.entry("input", tensor.name)
    if entry is None:
        return
    given = entry.node.plain("optional") is True
    declared = model.source.startswith("auto_complete")
    if tensor.optional and not given and (declared or tensor.name in wish.left_out):
        work.done(work.config.put(entry.node, "optional", "true"), "more", f"{tensor.name} optional")
    elif given and declared and tensor.name in wish.required:
        work.done(work.config.put(entry.node, "optional", "false"), "more", f"{tensor.name} not optional")


def _reshape(work: _Work, entry: Entry, dims: tuple[int, ...], model: Interface) -> None:
    """The model sees the shape behind reshape; a reshape that fits neither it nor the dims goes."""
    if (
        entry.reshape is None
        or entry.dims is None
        or model.source.startswith("auto_complete")
        or agree(dims, entry.reshape)
    ):
        return
    if agree(dims, entry.dims):
        words = f"{entry.name} without reshape {list(entry.reshape)}, for the model takes {list(dims)}"
        work.done(work.config.remove(entry.node, "reshape"), "dims", words)
    elif -1 not in (*dims, *entry.dims) and math.prod(dims) == math.prod(entry.dims):
        inner = entry.node.first("reshape")
        if inner is not None:
            words = f"{entry.name} reshape {list(dims)} instead of {list(entry.reshape)}"
            work.done(work.config.put_list(inner, "shape", dims), "dims", words)


def _all_agree(config: Config, model: Interface, skip: int) -> bool:
    """Whether all dims of the config agree with the model's, its first ones left out."""
    found = []
    for direction in DIRECTIONS:
        for entry in config.tensors(direction):
            tensor = model.named(direction, entry.name)
            if tensor is not None and tensor.dims is not None and entry.dims is not None:
                found.append(agree(tensor.dims[skip:], entry.dims))
    return bool(found) and all(found)
