"""The head of a GGUF file."""

from __future__ import annotations

import struct
from typing import NamedTuple

from triage.modelfolder.damage import Broken


class Gguf(NamedTuple):
    """Version of the format, number of tensors and of metadata entries."""

    version: int
    tensors: int
    entries: int


def read(path: str) -> Gguf:
    """The head of a file.

    Raises:
        Broken: it is no GGUF file, or its head is cut.
    """
    with open(path, "rb") as stream:
        head = stream.read(24)
    if head[:4] != b"GGUF":
        raise Broken("is no GGUF file: it does not begin with GGUF")
    if len(head) < 24:
        raise Broken("is cut short within its head")
    version, tensors, entries = struct.unpack("<IQQ", head[4:])
    if version > 1 << 16:
        raise Broken("is a GGUF file of a machine with the other byte order")
    return Gguf(version, tensors, entries)
