"""What a build feeds to a model, as far as its files tell: arrays stored in ``.npz`` files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.onnxgraph import elements

if TYPE_CHECKING:
    from triage.site import Site

_LARGEST = 256 << 20  # bytes of a file of feeds
_MOST_FILES = 40


class Archive(NamedTuple):
    """The arrays of one ``.npz`` file."""

    path: str
    arrays: dict[str, Any]


def archives(site: Site) -> Iterator[Archive]:
    """Every ``.npz`` file of the build that can be read without unpickling; those that scripts name come first."""
    found = [path for path in site.listing if path.endswith(".npz") and path not in site.outputs]
    told = "\n".join((*scripts(site), *site.commands()))
    for path in sorted(found, key=lambda path: (os.path.basename(path) not in told, path))[:_MOST_FILES]:
        arrays = _read(site.path(path))
        if arrays:
            yield Archive(path, arrays)


def sent(site: Site, names: Collection[str]) -> dict[str, Any]:
    """Input name -> array, from the file that holds most of these inputs; empty where none holds any."""
    best: dict[str, Any] = {}
    for archive in archives(site):
        held = {name: archive.arrays[name] for name in names if name in archive.arrays}
        if len(held) > len(best):
            best = held
    return best


def element_of(array: Any) -> int | None:
    """The element type of an array; None where ONNX has none."""
    try:
        return elements.element_of(array)
    except (KeyError, ValueError, TypeError):
        return None


def inputs(model: Any) -> dict[str, Any]:
    """The inputs that a caller must feed: name -> ValueInfoProto, initializers left out."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in stored}


def scripts(site: Site) -> Iterator[str]:
    """The text of the build's small Python files."""
    for path in site.listing:
        if path.endswith(".py") and os.path.getsize(site.path(path)) < 1 << 20:
            with open(site.path(path), encoding="utf-8", errors="replace") as stream:
                yield stream.read()


def _read(path: str) -> dict[str, Any]:
    import zipfile
    import zlib

    import numpy as np

    if os.path.getsize(path) > _LARGEST:
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return {}
