"""Headers of stored NumPy arrays: shape and type, without reading or unpickling what they hold."""

from __future__ import annotations

from typing import IO, Any, NamedTuple


class Header(NamedTuple):
    """Shape and NumPy type of an array."""

    shape: tuple[int, ...]
    dtype: Any


def header(stream: IO[bytes]) -> Header:
    """The header of the array that begins here; the stream stands at its values then.

    Raises:
        ValueError: it is no array.
    """
    from numpy.lib import format as layout

    npy: Any = layout
    read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    return Header(tuple(int(size) for size in shape), dtype)
