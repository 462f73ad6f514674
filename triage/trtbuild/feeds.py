"""Arrays that a build's folder holds for a model's inputs, and arrays made for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.site import Site
    from triage.trtbuild.inputs import Input

_LARGEST = 1 << 30
_MOST_SETS = 64


def stored(site: Site, inputs: Sequence[Input]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(file, sets of arrays by input) of every array file that has data for all inputs; calibration files first."""
    paths = [path for path in site.listing if path.endswith((".npz", ".npy"))]
    for path in sorted(paths, key=lambda path: ("calib" not in path.lower(), path)):
        sets = sets_of(site.path(path), inputs)
        if sets:
            yield path, sets


def sets_of(path: str, inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """Sets of arrays for the inputs from a file: by name, or as ``0/in/name``; nothing where one is missing."""
    import os

    import numpy as np

    try:
        if os.path.getsize(path) > _LARGEST:
            return []
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, UsageError):
        return []
    if not hasattr(loaded, "files"):
        return [{inputs[0].name: loaded}] if len(inputs) == 1 and inputs[0].fits(loaded.shape) else []
    groups: dict[str, dict[str, Any]] = {}
    for key in loaded.files:
        parts = re.split(r"[/|]", key)
        name = next((each.name for each in inputs if each.name in (key, parts[-1])), None)
        if name is not None and "out" not in parts[:-1]:
            groups.setdefault(parts[0] if len(parts) > 1 and parts[0].isdecimal() else "", {})[name] = loaded[key]
    wanted = {each.name: each for each in inputs}
    whole = (group for group in groups.values() if group.keys() == wanted.keys())
    return [group for group in whole if all(wanted[name].fits(array.shape) for name, array in group.items())][
        :_MOST_SETS
    ]


def made(inputs: Sequence[Input], shapes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, Any]:
    """Arrays of our own: normal numbers, small whole numbers; shape tensors hold what is given for them."""
    import numpy as np

    random, feeds = np.random.default_rng(seed), {}
    for each in inputs:
        told = shapes.get(each.name)
        if each.values and told:
            feeds[each.name] = np.asarray(told, each.dtype).reshape(
                [d if isinstance(d, int) else len(told) for d in each.dims]
            )
            continue
        dims = tuple(told or (size if isinstance(size, int) else 1 for size in each.dims))
        kind = np.dtype(each.dtype)
        if kind.kind in "fV":
            feeds[each.name] = random.standard_normal(dims).astype(each.dtype)
        else:
            feeds[each.name] = random.integers(0, 256 if kind == np.uint8 else 2, dims).astype(kind)
    return feeds
