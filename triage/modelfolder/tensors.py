"""safetensors files: their header, single values, and the same file under other names."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from triage.modelfolder.damage import Broken, damage, raw_header

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


class Tensor(NamedTuple):
    """A stored tensor: type as its file spells it, shape, and where its bytes lie (0, 0: not known)."""

    dtype: str
    shape: tuple[int, ...]
    begin: int = 0
    end: int = 0


def read(path: str) -> dict[str, Tensor]:
    """Name -> tensor of a safetensors file.

    Raises:
        Broken: it is cut, or something else.
    """
    why = damage(path)
    if why:
        raise Broken(why)
    header, start = raw_header(path)
    return {
        name: Tensor(str(entry["dtype"]), tuple(entry["shape"]), *(start + place for place in entry["data_offsets"]))
        for name, entry in header.items()
        if name != "__metadata__"
    }


def is_zero(path: str, tensor: Tensor) -> bool:
    """Whether all values of a tensor of floating numbers are 0, or -0."""
    size = _SIZES.get(tensor.dtype, 1)
    with open(path, "rb") as stream:
        stream.seek(tensor.begin)
        left = tensor.end - tensor.begin
        while left > 0:
            part = stream.read(min(left, 1 << 20))
            signs, rest = part[size - 1 :: size], [part[place::size] for place in range(size - 1)]
            if not part or signs.strip(b"\0\x80") or any(each.strip(b"\0") for each in rest):
                return False
            left -= len(part)
    return True


def rename(source: str, target: str, names: Mapping[str, str | None]) -> None:
    """Writes a file's tensors under other names; every byte of what is kept stays.

    Args:
        source: a safetensors file.
        target: the file to write; not the source.
        names: old -> new, None to leave a tensor out; what is not in it keeps its name.
    """
    header, start = raw_header(source)
    metadata = {name: entry for name, entry in header.items() if name == "__metadata__"}
    kept = [name for name in header if name not in metadata and names.get(name, name) is not None]
    kept.sort(key=lambda name: header[name]["data_offsets"])
    table: dict[str, Any] = dict(metadata)
    place = 0
    for name in kept:
        begin, end = header[name]["data_offsets"]
        table[str(names.get(name, name))] = {**header[name], "data_offsets": [place, place + end - begin]}
        place += end - begin
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(source, "rb") as given, open(target, "wb") as taken:
        taken.write(struct.pack("<Q", len(text)) + text)
        for name in kept:
            begin, end = header[name]["data_offsets"]
            given.seek(start + begin)
            _copy(given, taken, end - begin)


def _copy(given: IO[bytes], taken: IO[bytes], left: int) -> None:
    while left > 0:
        part = given.read(min(left, 1 << 20))
        if not part:
            raise Broken("is cut short")
        taken.write(part)
        left -= len(part)
