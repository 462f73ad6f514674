"""External data of a model: what its tensors want of which file, what is wrong with it, and files that fit."""

from __future__ import annotations

import hashlib
import math
import ntpath
import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.modelfolder import damage
from triage.onnxgraph import walk

if TYPE_CHECKING:
    from triage.site import Site

POINTER = b"version https://git-lfs"
_NEVER_DATA = (
    ".onnx", ".py", ".md", ".txt", ".toml", ".yaml", ".yml", ".json", ".log", ".npz", ".npy", ".pbtxt", ".sh", ".png",
    ".jpg", ".csv", ".html", ".ipynb", ".so", ".zip", ".gz", ".tar",
)  # fmt: skip
_PAGE = 1 << 16  # the largest step to which exporters align
_SAMPLE = 1 << 16  # values of a tensor that are looked at
_ABSURD = 1e15


class Stored(NamedTuple):
    """Where a tensor says that its bytes lie; ``size`` is what its type and shape make it."""

    tensor: Any
    location: str
    offset: int | None
    length: int | None
    size: int
    checksum: str = ""

    @property
    def end(self) -> int:
        """The first byte after it."""
        return (self.offset or 0) + self.size


def is_external(tensor: Any) -> bool:
    """Whether a tensor's values lie in another file."""
    return bool(tensor.data_location == tensor.EXTERNAL)


def stored(model: Any) -> list[Stored]:
    """Every external tensor of a model, in the order in which it holds them."""
    found = []
    for tensor in walk.tensors(model):
        if is_external(tensor):
            keys = {entry.key: entry.value for entry in tensor.external_data}
            offset, length = (_number(keys.get(key)) for key in ("offset", "length"))
            found.append(
                Stored(tensor, keys.get("location", ""), offset, length, size_of(tensor), keys.get("checksum", ""))
            )
    return found


def size_of(tensor: Any) -> int:
    """Bytes of a tensor's values; 0 for strings, whose size nothing tells."""
    import onnx

    name = onnx.TensorProto.DataType.Name(tensor.data_type)
    narrow = re.search(r"(?:^|U)INT([24])$|FLOAT([46])E", name)
    if narrow:
        bits = int(narrow[1] or narrow[2])
    elif name in ("STRING", "UNDEFINED"):
        return 0
    else:
        bits = 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(-(-math.prod(tensor.dims) * bits // 8))


def set_entry(tensor: Any, key: str, value: str | None) -> None:
    """Sets or, with None, removes one field of a tensor's external data."""
    for entry in [entry for entry in tensor.external_data if entry.key == key]:
        tensor.external_data.remove(entry)
    if value is not None:
        tensor.external_data.add(key=key, value=value)


def by_location(entries: Iterable[Stored]) -> dict[str, list[Stored]]:
    """The external tensors of each file."""
    groups: dict[str, list[Stored]] = {}
    for entry in entries:
        groups.setdefault(entry.location, []).append(entry)
    return groups


def problem(folder: str, location: str, entries: Sequence[Stored]) -> str | None:
    """Why the data of one location cannot be read, in words; None where they can.

    Args:
        folder: absolute, of the model.
        location: as the model gives it.
        entries: the tensors that lie there.
    """
    if posixpath.isabs(location) or ntpath.splitdrive(location)[0] or ntpath.isabs(location):
        return f"{location} is an absolute path"
    if "\\" in location:
        return f"{location} is a path of Windows"
    path = os.path.normpath(os.path.join(folder, location))
    if not path.startswith(os.path.join(os.path.normpath(folder), "")):
        return f"{location} lies outside the model's folder"
    if os.path.islink(path):
        return f"{location} is a symbolic link"
    if not os.path.isfile(path):
        return f"{location} is not there"
    return short(path, location, entries)


def short(path: str, name: str, entries: Sequence[Stored]) -> str | None:
    """Why a file does not hold its tensors: a pointer, or cut short; None where it does."""
    size, wanted = os.path.getsize(path), needed(entries)
    if is_pointer(path):
        return f"{name} is a Git LFS pointer, the data themselves were never fetched"
    return f"{name} is cut short: it has {size:,} bytes, the model needs {wanted:,}" if size < wanted else None


def needed(entries: Sequence[Stored]) -> int:
    """The size that a file must have for its tensors."""
    return max((entry.end for entry in entries), default=0)


def is_pointer(path: str) -> bool:
    """Whether a file is what Git LFS leaves in place of the data."""
    with open(path, "rb") as stream:
        return stream.read(len(POINTER)) == POINTER


def promised(path: str) -> str | None:
    """The hash (SHA-256) of the object that a Git LFS pointer stands for; None where the file is no pointer."""
    told = damage.pointer(path) if os.path.isfile(path) else None
    return told[0] if told and told[0] else None


def candidates(site: Site, model: str, location: str, entries: Sequence[Stored]) -> list[str]:
    """Files of the build that may be the data of one location, the likeliest first.

    A file of the same name must be large enough, a file of another name must have the very size. Files of the same
    content count once. Where a Git LFS pointer stands in the place of the data, only the object that it names will do.
    """
    wanted, name = needed(entries), _base(location)
    promise = promised(os.path.join(os.path.dirname(site.path(model)), location))
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for path in site.listing:
        real = os.path.realpath(site.path(path))
        if not os.path.isfile(real):
            continue
        size, same = os.path.getsize(real), path.rpartition("/")[2].lower() == name.lower()
        if is_pointer(real) or size < wanted or not (same or (size == wanted and not path.endswith(_NEVER_DATA))):
            continue
        if not (signed(real, entries) or plausible(real, entries)) or promise not in (None, _hash(real, "sha256")):
            continue
        rank = (not signed(real, entries), not same, size != wanted, _steps(model, path), len(path))
        key = _digest(real)
        if key not in found or rank < found[key][0]:
            found[key] = (rank, path)
    return [path for _, path in sorted(found.values())]


def signed(path: str, entries: Sequence[Stored]) -> bool:
    """Whether the model holds the hash (SHA-1) of the data file, and this file has it."""
    wanted = {entry.checksum.lower() for entry in entries if entry.checksum}
    if len(wanted) != 1:
        return False
    return _hash(path, "sha1") in wanted


def whole(path: str, entries: Sequence[Stored]) -> bool:
    """Whether a file ends where its last tensor ends, filling up to a page left aside."""
    size, wanted = os.path.getsize(path), needed(entries)
    return size == wanted or (wanted < size <= wanted + _PAGE and size % 4096 == 0)


def plausible(path: str, entries: Sequence[Stored]) -> bool:
    """Whether the floats that a file would give look like weights: finite, and none absurdly large."""
    import numpy as np
    from onnx import helper

    with open(path, "rb") as stream:
        for entry in entries:
            kind = helper.tensor_dtype_to_np_dtype(entry.tensor.data_type)
            if kind.kind != "f" or kind.itemsize < 2 or kind.name.startswith(("float8", "float4", "float6")):
                continue
            stream.seek(entry.offset or 0)
            data = stream.read(min(entry.size, _SAMPLE * kind.itemsize))
            values = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind).astype(np.float64)
            odd = (
                ~np.isfinite(values)
                | (np.abs(values) > _ABSURD)
                | ((values != 0) & (np.abs(values) < 1 / _ABSURD / _ABSURD))
            )
            if values.size and odd.mean() > 0.01:
                return False
    return True


def _base(location: str) -> str:
    return posixpath.basename(location.replace("\\", "/")) or location


def _steps(model: str, path: str) -> int:
    """How many folders lie between the model and a file."""
    return os.path.relpath(os.path.dirname(path) or ".", os.path.dirname(model) or ".").count("/")


def _hash(path: str, kind: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()


def _digest(path: str) -> str:
    from triage.workspace import digest

    return digest(path)


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
