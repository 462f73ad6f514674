"""A batch that a fix made dynamic: several old batches in one must give what each gave alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.compare.feeds import Draw, Input, feeds_for, together
from triage.compare.verdict import Pair

if TYPE_CHECKING:
    from triage.compare.feeds import Feed
    from triage.compare.models import Side
    from triage.compare.run import Result, Runner

_SEEDS = (20, 21, 22)
_NO_BATCH = re.compile(r"seq|time|len|step|token|frame|past|width|height|node|edge|point", re.IGNORECASE)
_LABEL = f"{len(_SEEDS)} old batches in one"


class Batches(NamedTuple):
    """What joined batches gave: pairs to compare, what is to be said, and what is wrong for sure."""

    pairs: tuple[Pair, ...] = ()
    remarks: tuple[str, ...] = ()
    fault: str = ""


def joined_batches(before: Side, after: Side, runner: Runner, names: Mapping[str, str], engine: str) -> Batches:
    """Runs the model before on single batches, and the model after on all of them together.

    Args:
        before: its first axes are fixed.
        after: some of them are symbols now.
        runner: starts children.
        names: inputs renamed, before -> after.
        engine: of the model before.
    """
    back = {new: old for old, new in names.items()}
    now = [each._replace(name=back.get(each.name, each.name)) for each in after.inputs]
    grown = _grown(before.inputs, now)
    others = [name for name, axis in _freed(before.inputs, now) if axis or name not in grown]
    remarks = (f"dimensions made dynamic were compared at their old size: {', '.join(others)}",) if others else ()
    if not grown:
        return Batches(remarks=remarks)
    items = [feed for _, feed in feeds_for(together(before.inputs, now), [Draw(1, 8, "normal", s) for s in _SEEDS])]
    items = [{name: feed[name] if name in grown else items[0][name] for name in feed} for feed in items]
    alone = runner.model(before.path, runner.store([("", feed) for feed in items]), engine=engine)
    if len(alone.ran) < len(items):
        return Batches(remarks=remarks)
    stored = runner.store([(_LABEL, _joined(items, grown))])
    whole = runner.model(after.path, [stored[0].renamed(names)], optimise=True)
    if not whole.ran:
        return Batches(fault=f"the first axis is dynamic now, but the model fails on {_LABEL}: {whole.why}")
    return _compared(alone.results, whole.results[0], remarks, _loose(before, after, grown))


def _compared(alone: Sequence[Result], whole: Result, remarks: tuple[str, ...], loose: set[int]) -> Batches:
    want, got, odd = [], [], []
    for place, (name, array) in enumerate(whole.outputs or ()):
        if place in loose:
            odd.append(name)
            continue
        parts = [result.outputs[place][1] for result in alone if result.outputs and place < len(result.outputs)]
        joined = _stacked(parts)
        if joined is not None and array.ndim and array.shape[0] == joined.shape[0]:
            want.append((name, joined))
            got.append((name, array))
        elif array.ndim and parts and array.shape[0] != parts[0].shape[0]:
            return Batches(fault=f"{name} has shape {list(array.shape)} for {_LABEL}, {list(parts[0].shape)} for one")
        else:
            odd.append(name)
    said = (f"without a batch axis: {', '.join(odd)}",) if odd else ()
    if not want and loose:
        return Batches(remarks=(*remarks, *said))
    if not want:
        return Batches(fault=f"the first axis is dynamic now, but no output grows with it: {', '.join(odd)}")
    return Batches((Pair(_LABEL, tuple(want), tuple(got)),), (*remarks, *said))


def _loose(before: Side, after: Side, grown: set[str]) -> set[int]:
    """Outputs whose first axis never was the batch: how long they are hangs on the values, as of found objects."""
    old, new = before.model.graph.output, after.model.graph.output
    symbols = {_first(value) for value in after.model.graph.input if value.name in grown} - {0, ""}
    return {
        place
        for place, value in enumerate(old)
        if place < len(new) and isinstance(_first(value), str) and _first(new[place]) not in symbols
    }


def _first(value: Any) -> int | str:
    """The first axis as declared: a size, or a symbol (empty where it has no name); 0 where nothing is declared."""
    dims = value.type.tensor_type.shape.dim
    if not len(dims):
        return 0
    return int(dims[0].dim_value) if dims[0].dim_value else str(dims[0].dim_param)


def _stacked(parts: Sequence[Any]) -> Any:
    import numpy as np

    if len(parts) != len(_SEEDS) or any(not part.ndim or part.shape != parts[0].shape for part in parts):
        return None
    return np.concatenate(parts)


def _freed(before: Sequence[Input], after: Sequence[Input]) -> Iterator[tuple[str, int]]:
    """(input, axis) where a number became a symbol."""
    now = {each.name: each.dims for each in after}
    for each in before:
        dims = now.get(each.name)
        if each.dims is None or dims is None or len(dims) != len(each.dims):
            continue
        for axis, (old, new) in enumerate(zip(each.dims, dims, strict=True)):
            if isinstance(old, int) and isinstance(new, str):
                yield each.name, axis


def _grown(before: Sequence[Input], after: Sequence[Input]) -> set[str]:
    """Inputs whose first axis became a symbol that can be a batch."""
    symbols = {each.name: str(each.dims[0]) for each in after if each.dims}
    return {name for name, axis in _freed(before, after) if not axis and not _NO_BATCH.search(symbols[name])}


def _joined(items: Sequence[Feed], grown: set[str]) -> Feed:
    import numpy as np

    return {
        name: np.concatenate([feed[name] for feed in items]) if name in grown else items[0][name] for name in items[0]
    }
