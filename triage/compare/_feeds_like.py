"""Feeds like a module's example arguments, in its sizes and others. Stands alone, beside _watch_export.py."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_SCALE, _SEEDS = 30.0, (1, 2)


def feeds_like(
    model: Any, example: list[Any], record: dict[str, Any], proto: Any = None
) -> Iterator[tuple[str, list[Any]]]:
    """(label, tensors): the example, others like it, and other sizes of what the exported file declares dynamic.

    Args:
        model: the module.
        example: its tensors.
        record: of the export: its ``file``, ``own_names`` and ``input_names``; takes ``mapped``.
        proto: the exported graph, where it has no file.
    """
    import torch

    yield "the script's own example", example
    draw = functools.partial(_drawn, torch, table=_smallest_table(model, torch))
    for seed in _SEEDS:
        yield (
            f"values like the example's, seed {seed}",
            [draw(one, one.shape, seed + 10 * n) for n, one in enumerate(example)],
        )
    yield "large values", [draw(one, one.shape, 3, scale=_SCALE) for one in example]
    own = [tuple(one.shape) for one in example]
    for label, shapes in _sizes(_declared(record, proto, own), own):
        yield label, [draw(one, shape, 4) for one, shape in zip(example, shapes, strict=True)]


def _smallest_table(model: Any, torch: Any) -> int | None:
    """Rows of the smallest embedding: whole numbers below it are safe for all."""
    modules = model.modules() if hasattr(model, "modules") else ()
    return min((one.num_embeddings for one in modules if isinstance(one, torch.nn.Embedding)), default=None)


def _drawn(torch: Any, like: Any, shape: Sequence[int], seed: int, *, table: int | None, scale: float = 1.0) -> Any:
    """A tensor like the example, of a shape: floats with its mean and spread, whole numbers in its range."""
    generator = torch.Generator().manual_seed(seed)
    if like.is_complex() or not like.numel():
        return like.clone()
    if like.is_floating_point():
        values = like.detach().double().cpu()
        spread = float(values.std()) if values.numel() > 1 else 0.0
        drawn = torch.randn(tuple(shape), generator=generator, dtype=torch.float64) * (spread or 1.0) + float(
            values.mean()
        )
        return (drawn * scale).to(like.dtype).to(like.device)
    if like.dtype == torch.bool:
        return (torch.rand(tuple(shape), generator=generator) > 0.5).to(like.device)
    low, high = min(int(like.min()), 0), max(int(like.max()), 1 if table is None else table - 1)
    low = low if table is None or int(like.max()) > 1 else 0
    return torch.randint(low, high + 1, tuple(shape), generator=generator).to(like.dtype).to(like.device)


def _sizes(
    declared: dict[int, list[Any]], shapes: list[tuple[int, ...]]
) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    """Other shapes, where the exported file has symbols; the same symbol has the same size."""
    if not declared:
        return
    symbols = {
        (dim or f"{number}.{axis}"): (shapes[number][axis], axis)
        for number, dims in declared.items()
        for axis, dim in enumerate(dims)
        if isinstance(dim, str)
    }
    ways: list[tuple[str, Callable[[int, int], int]]] = [
        ("a batch larger by 2", lambda size, axis: size + 2 if axis == 0 else size),
        ("a batch of 1", lambda size, axis: 1 if axis == 0 else size),
        ("all dynamic dimensions larger", lambda size, axis: size + 2 if axis == 0 else size + max(1, size // 2)),
        ("all dynamic dimensions twice as large", lambda size, _: size * 2),
    ]
    seen = {tuple(shapes)}
    for label, change in ways:
        sizes = {symbol: change(size, axis) for symbol, (size, axis) in symbols.items()}
        changed = [
            tuple(
                sizes.get(dim or f"{number}.{axis}", size) if isinstance(dim, str) else size
                for axis, (size, dim) in enumerate(zip(shape, declared.get(number, shape), strict=True))
            )
            for number, shape in enumerate(shapes)
        ]
        if tuple(changed) not in seen:
            seen.add(tuple(changed))
            yield label, changed


def _declared(record: dict[str, Any], proto: Any, shapes: list[tuple[int, ...]]) -> dict[int, list[Any]]:
    """Dimensions of each tensor as the exported file declares them; also notes which input each tensor is."""
    try:
        import onnx

        model = onnx.load(str(record["file"]), load_external_data=False) if proto is None else proto
    except Exception:  # noqa: BLE001 -- without onnx, or without a file, there are no sizes to try
        return {}
    held = {tensor.name for tensor in model.graph.initializer}
    dims = {
        value.name: [
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in value.type.tensor_type.shape.dim
        ]
        for value in model.graph.input
        if value.name not in held
    }
    mapped = _mapped(list(dims), record)
    if all(len(dims[name]) == len(shapes[number]) for name, number in mapped.items()):
        record["mapped"] = mapped
        return {number: dims[name] for name, number in mapped.items()}
    return {}


def _mapped(names: Sequence[str], record: dict[str, Any]) -> dict[str, int]:
    """Input of the exported file -> number of the tensor: by name, else in order."""
    own, given = record["own_names"], record["input_names"]
    if len(set(own)) == len(own) and set(names) <= set(own):
        return {name: own.index(name) for name in names}
    if len(names) == len(own):
        return {name: number for number, name in enumerate(names)}
    known = {name: number for number, name in enumerate(own) if own.count(name) == 1}
    known.update({name: number for number, name in enumerate(given) if number < len(own)})
    return {name: known[name] for name in names if name in known}
