"""Bytes of any kind -> pieces of whole lines in UTF-8, with what was found and cut.

Knows UTF-8, UTF-16 with and without byte order mark, GB18030 and broken bytes.
Nothing here fails on bad bytes: they are replaced and counted when shown.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PIECE = 1 << 20
LONGEST_LINE = 8 << 20
_HEAD = 1 << 16


class Encoding(NamedTuple):
    """Name of the encoding and how many bytes of byte order mark to skip."""

    name: str
    mark: int


def detect_encoding(head: bytes) -> Encoding:  # noqa: PLR0911  one return a guess
    """Guesses from the first bytes of a log; ``utf-8`` where nothing else fits."""
    if head.startswith(b"\xff\xfe\x00\x00"):
        return Encoding("utf-32-le", 4)
    if head.startswith(b"\xff\xfe"):
        return Encoding("utf-16-le", 2)
    if head.startswith(b"\xfe\xff"):
        return Encoding("utf-16-be", 2)
    sample = head[:4096]
    if b"\0" in sample:
        guess = _zero_pattern(sample)
        if guess:
            return guess
    if sample.isascii() and head.isascii():
        return Encoding("utf-8", 0)
    if _fits(head, "utf-8"):
        return Encoding("utf-8", 0)
    if _is_chinese(head):
        return Encoding("gb18030", 0)
    return Encoding("utf-8", 0)


def _zero_pattern(sample: bytes) -> Encoding | None:
    even, odd = sample[0::2], sample[1::2]
    if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.2 * len(even):
        return Encoding("utf-16-le", 0)
    if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.2 * len(odd):
        return Encoding("utf-16-be", 0)
    return None


def _fits(data: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data, False)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(data: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(data, False)
    except UnicodeDecodeError:
        return False
    foreign = [c for c in text if c > "\x7f"]
    common = sum("\u4e00" <= c <= "\u9fff" or "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uffef" for c in foreign)
    return bool(foreign) and common > 0.8 * len(foreign)


def to_utf8(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The same text as UTF-8 bytes."""
    decoder = codecs.getincrementaldecoder(encoding.name)("replace")
    skip = encoding.mark
    for chunk in chunks:
        text = decoder.decode(chunk[skip:] if skip else chunk)
        skip = 0
        yield text.encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Regroups chunks into pieces that end at a line end.

    A line longer than LONGEST_LINE is cut there, so memory stays bounded; the
    cut is not counted as a line end.
    """
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut] if rest else chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
            if len(rest) >= LONGEST_LINE:
                yield rest
                rest = b""
    if rest:
        yield rest
