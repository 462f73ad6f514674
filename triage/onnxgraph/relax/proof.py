"""Checks a model whose dimensions were freed: the same at the old size, and item by item at another batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triage.onnxgraph import evaluate
from triage.onnxgraph.factors import Dim, Symbol, at, flat
from triage.onnxgraph.relax import Baked, Relaxed

NOT_COMPARED = "not compared"  # what an answer begins with where nothing could be run
_MOST = 1 << 28  # elements of one input that a check feeds


def check(old: Any, new: Any, relaxed: Relaxed, folder: str | None, freed: set[tuple[str, int]]) -> str:
    """Runs both models and compares; gives what was compared, in words.

    Args:
        old: the model as it was.
        new: the model with free dimensions.
        relaxed: what was freed.
        folder: of external data.
        freed: (input, axis) that were fixed before.

    Raises:
        Baked: they differ, or the new one does not run.
    """
    try:
        before = evaluate.Runner(old, folder)
    except evaluate.CannotRun as fault:
        return f"{NOT_COMPARED}: the model does not run here ({fault})"
    try:
        after = evaluate.Runner(new, folder)
    except evaluate.CannotRun as fault:
        raise Baked(f"the model does not load once the dimension is free: {fault}") from None
    pair = _Pair(old, before, after, relaxed, freed)
    if not pair.same_at_old_size():
        return f"{NOT_COMPARED}: the model does not run on made-up inputs"
    pair.runs_at_other_sizes()
    batch = {symbol for key, symbol in relaxed.symbols.items() if key in freed and symbol.role == "batch"}
    if batch:
        pair.item_by_item(batch)
        return "equal at the old batch size, and item by item at another"
    return "equal at the old size"


class _Pair:
    """The model before and after."""

    def __init__(self, old: Any, before: Any, after: Any, relaxed: Relaxed, freed: set[tuple[str, int]]) -> None:
        self._before, self._after, self._relaxed, self._freed = before, after, relaxed, freed
        stored = {tensor.name for tensor in old.graph.initializer}
        self._inputs = [value for value in old.graph.input if value.name not in stored]
        self._highest = 8

    def same_at_old_size(self) -> bool:
        """Compares them up to the order of sums; False where the old model takes no made-up feed."""
        for highest in (8, 2, 1):
            self._highest = highest
            feeds = self._feeds(0, seed=1)
            try:
                wanted = self._before.run(feeds)
            except evaluate.CannotRun:
                continue
            self._compare(wanted, self._run(feeds), 1e-5, "at the old size")
            return True
        return False

    def runs_at_other_sizes(self) -> None:
        """It must take the sizes that are wanted."""
        self._run(self._feeds(1, seed=2))

    def item_by_item(self, batch: set[Symbol]) -> None:
        """A larger batch gives what the old model gives for its parts."""
        times = 3
        parts = [self._feeds(0, seed=10 + part) for part in range(times)]
        follows = {name for (name, axis), symbol in self._relaxed.symbols.items() if symbol in batch and axis == 0}
        for name in parts[0]:
            if name not in follows:
                for part in parts[1:]:
                    part[name] = parts[0][name]
        wanted = [self._before.run(part) for part in parts]
        got = self._run({name: _joined([part[name] for part in parts], name in follows) for name in parts[0]})
        for name, value in got.items():
            layout = self._relaxed.outputs.get(name)
            pieces = [each[name] for each in wanted]
            self._compare({name: _stacked(name, pieces, layout, batch, times)}, {name: value}, 1e-3, "item by item")

    def _feeds(self, case: int, seed: int) -> dict[str, Any]:
        inputs = {}
        for value in self._inputs:
            dims = []
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                symbol = self._relaxed.symbols.get((value.name, axis))
                dims.append(symbol.values[case] if symbol else int(dim.dim_value))
            count = 1
            for size in dims:
                count *= size
            if count > _MOST:
                raise Baked(f"the input {value.name} is too large to check it here")
            inputs[value.name] = (value.type.tensor_type.elem_type, dims)
        return evaluate.random_feeds(inputs, seed, self._highest)

    def _run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._after.run(feeds))
        except evaluate.CannotRun as fault:
            raise Baked(f"with free dimensions it fails on another size: {fault}") from None

    def _compare(self, wanted: Mapping[str, Any], got: Mapping[str, Any], rtol: float, when: str) -> None:
        import numpy as np

        for name, value in wanted.items():
            floats = getattr(value, "dtype", np.dtype("O")).kind == "f" and value.size
            scale = float(np.nanmax(np.abs(value), initial=0.0)) if floats else 0.0
            if not evaluate.close(value, got[name], rtol, rtol * 0.1 * max(scale, 1e-3)):
                raise Baked(f"the output {name} is not the same {when}: its items depend on each other or on the size")


def _joined(parts: Sequence[Any], follows: bool) -> Any:
    import numpy as np

    return np.concatenate(parts, axis=0) if follows else parts[0]


def _stacked(name: str, parts: Sequence[Any], layout: Sequence[Dim] | None, batch: set[Symbol], times: int) -> Any:
    """The parts put together along the place where the batch lies in an output."""
    import numpy as np

    if layout is None:
        raise Baked(f"how the output {name} follows from the batch is not known")
    factors = [factor for dim in layout for factor in (flat([dim]) or [1])]
    where = [place for place, factor in enumerate(factors) if _is_batch(factor, batch)]
    if len(where) != 1:
        if not where and all(np.array_equal(parts[0], part) for part in parts[1:]):
            return parts[0]
        raise Baked(f"the output {name} does not hold one entry for each item of the batch")
    if _woven(layout, batch):
        raise Baked(f"the batch ends up inside another dimension of the output {name}, between what belongs together")
    sizes = [factor.values[0] if isinstance(factor, Symbol) else factor for factor in factors]
    whole = np.concatenate([part.reshape(sizes) for part in parts], axis=where[0])
    final = [at(dim, 0) * (times if any(_is_batch(factor, batch) for factor in dim) else 1) for dim in layout]
    return whole.reshape(final)


def _woven(layout: Sequence[Dim], batch: set[Symbol]) -> bool:
    """Whether the batch shares a dimension in which it does not stand outermost, or behind one that it could have."""
    place = next(axis for axis, dim in enumerate(layout) if any(_is_batch(factor, batch) for factor in dim))
    dim = layout[place]
    spare = any(at(other, 0) == 1 and len(other) == 0 for other in layout[:place])
    return len(dim) > 1 and (spare or not _is_batch(dim[0], batch))


def _is_batch(factor: object, batch: set[Symbol]) -> bool:
    while isinstance(factor, Symbol) and factor.source[0] == "part" and isinstance(factor.source[1], Symbol):
        factor = factor.source[1]
    return factor in batch
