"""Weights that two models hold under the same name: feeds reach only a part of them, such as some rows of a table."""

from __future__ import annotations

from typing import Any

_LARGEST = 1 << 30  # values that are still compared one by one
_CLOSE = {10: 1e-3, 16: 8e-3}  # by type: how far, relatively, a weight that was cast to it may be off
_EXACT = 1e-5
_FLOATS = (1, 10, 11, 16)


def changed_weights(before: Any, after: Any, folders: tuple[str, str]) -> list[str]:
    """What differs in weights of the same name and shape, in words; empty where nothing does.

    Args:
        before: a model, read without external data.
        after: the other.
        folders: where the data files of each lie.
    """
    now = {tensor.name: tensor for tensor in after.graph.initializer}
    found = []
    for tensor in before.graph.initializer:
        other = now.get(tensor.name)
        if other is not None and list(other.dims) == list(tensor.dims) and _counts(tensor) and _counts(other):
            told = _difference(tensor, other, folders)
            if told:
                found.append(told)
    return found


def _counts(tensor: Any) -> bool:
    size = 1
    for dim in tensor.dims:
        size *= dim
    return tensor.data_type in _FLOATS and len(tensor.dims) > 1 and 1 < size <= _LARGEST


def _difference(one: Any, two: Any, folders: tuple[str, str]) -> str:
    import numpy as np
    from onnx import numpy_helper

    try:
        a, b = (numpy_helper.to_array(tensor, folder) for tensor, folder in zip((one, two), folders, strict=True))
    except (OSError, ValueError):
        return ""
    if a.dtype == b.dtype and np.array_equal(a, b):
        return ""
    close = _EXACT
    if one.data_type != two.data_type:
        close = max(_CLOSE.get(tensor.data_type, _EXACT) for tensor in (one, two))
    a, b = a.astype(np.float32), b.astype(np.float32)
    with np.errstate(all="ignore"):
        wrong = ~((np.abs(a - b) <= close * (np.abs(a) + np.std(a))) | (np.isnan(a) & np.isnan(b)))
    rows = np.unique(np.argwhere(wrong)[:, 0]).size
    return f"{one.name} differs in {rows:,} of {one.dims[0]:,} rows" if rows else ""
