"""What clients send and expect: arrays stored beside the build, and the names that its scripts ask for."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from triage import npy
from triage.tritonrepo.interface import Tensor

if TYPE_CHECKING:
    from triage.site import Site

_MOST_FILES, _MOST_ARRAYS = 40, 200
_LARGEST_SCRIPT = 1 << 20
_TYPES = {
    "f2": "TYPE_FP16", "f4": "TYPE_FP32", "f8": "TYPE_FP64", "i1": "TYPE_INT8", "i2": "TYPE_INT16", "i4": "TYPE_INT32",
    "i8": "TYPE_INT64", "u1": "TYPE_UINT8", "u2": "TYPE_UINT16", "u4": "TYPE_UINT32", "u8": "TYPE_UINT64",
    "b1": "TYPE_BOOL",
}  # fmt: skip


class Archive(NamedTuple):
    """An ``.npz`` file: the type and shape of each array. Nothing is unpickled."""

    path: str
    arrays: dict[str, Tensor]


def archives(site: Site) -> Iterator[Archive]:
    """Every ``.npz`` file of the build; those that scripts or the command name come first."""
    told = " ".join(site.command) + "\n" + "\n".join(text for _, text in scripts(site))
    found = [path for path in site.listing if path.endswith(".npz") and path not in site.outputs]
    for path in sorted(found, key=lambda path: (os.path.basename(path) not in told, path))[:_MOST_FILES]:
        arrays = _headers(site.path(path))
        if arrays:
            yield Archive(path, arrays)


def held(site: Site, names: Collection[str]) -> dict[str, Tensor]:
    """The arrays under these names, from the file that holds most of them; empty where none holds any."""
    best: dict[str, Tensor] = {}
    for archive in archives(site):
        found = {name: archive.arrays[name] for name in names if name in archive.arrays}
        if len(found) > len(best):
            best = found
    return best


def fed(site: Site, model: str, inputs: Collection[str], outputs: Collection[str] = ()) -> dict[str, Tensor]:
    """What is sent to a model: arrays of the file that holds its inputs, all of them.

    Args:
        site: the build.
        model: the model's name; only one that clients ask for is fed from files.
        inputs: their names, and what else they may be called.
        outputs: the same of outputs; a file that holds those is an answer.
    """
    return next(all_fed(site, model, inputs, outputs), {})


def all_fed(
    site: Site, model: str, inputs: Collection[str], outputs: Collection[str] = ()
) -> Iterator[dict[str, Tensor]]:
    """As ``fed``, from every file that holds as many of the inputs."""
    held_: list[tuple[int, dict[str, Tensor]]] = []
    for archive in archives(site) if mentioned(site, model) else ():
        names = set(archive.arrays)
        count = len(set(inputs) & names) - len((set(outputs) - set(inputs)) & names)
        held_.append((count, archive.arrays))
    most = max((count for count, _ in held_), default=0)
    yield from (arrays for count, arrays in held_ if count == most > 0)


def mentioned(site: Site, name: str) -> bool:
    """Whether the command, a script or a request in the log names this model."""
    if not name:
        return False
    word = re.escape(name)
    if any(re.search(rf"(?:^|[=/:]){word}(?:$|[/:])", each) for each in site.command):
        return True
    if re.search(rf"unknown model: '{word}'|request to {word} |/v2/models/{word}/", site.log):
        return True
    quoted = re.compile(rf"""["']{word}["']|/models/{word}/""")
    return any(quoted.search(text) for _, text in scripts(site))


def scripts(site: Site) -> Iterator[tuple[str, str]]:
    """(path, text) of the scripts that the build runs, those of models left out."""
    for path in site.listing:
        if path.endswith((".py", ".sh", ".bash", ".yaml", ".yml", "Makefile")) and not _of_model(path):
            full = site.path(path)
            if os.path.isfile(full) and os.path.getsize(full) <= _LARGEST_SCRIPT:
                with open(full, encoding="utf-8", errors="replace") as stream:
                    yield path, stream.read()


def _of_model(path: str) -> bool:
    folder = os.path.dirname(path).rpartition("/")[2]
    return os.path.basename(path) == "model.py" or folder.isdigit()


def _headers(path: str) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(path) as stored:
            names = [name for name in stored.namelist() if name.endswith(".npy")][:_MOST_ARRAYS]
            found = (_header(stored, name) for name in names)
            return {tensor.name: tensor for tensor in found if tensor is not None}
    except (OSError, zipfile.BadZipFile):
        return {}


def _header(stored: zipfile.ZipFile, name: str) -> Tensor | None:
    try:
        with stored.open(name) as stream:
            shape, dtype = npy.header(stream)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return Tensor(name.removesuffix(".npy"), _type(dtype), shape)


def _type(dtype: Any) -> str | None:
    if dtype.kind in "USO":
        return "TYPE_STRING"
    return _TYPES.get(dtype.str[1:])
