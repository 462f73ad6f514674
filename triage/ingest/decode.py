"""Bytes of any kind -> pieces of whole lines in UTF-8, with what was found and cut.

Knows UTF-8, UTF-16 with and without byte order mark, GB18030 and broken bytes.
Nothing here fails on bad bytes: they are replaced and counted when shown.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SMALLEST = 1 << 16
LONGEST_LINE = 8 << 20


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
    return Encoding("cp1252" if _is_western(head) else "utf-8", 0)


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
    """Valid GB18030 whose signs are nearly all of the common kind, both of whose bytes are high.

    Western text has single high bytes between plain letters, which GB18030 would eat in pairs.
    """
    if not _fits(data, "gb18030"):
        return False
    common = len(re.findall(rb"[\xa1-\xf7][\xa1-\xfe]", data))
    high = sum(byte > 0x7F for byte in data)
    return common >= 2 and 2 * common > 0.9 * high


def _is_western(data: bytes) -> bool:
    """High bytes stand alone, as in Windows-1252; broken UTF-8 has them in runs."""
    runs = re.findall(rb"[\x80-\xff]+", data)
    return sum(len(run) == 1 for run in runs) > 0.9 * len(runs)


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
    """Regroups chunks into pieces of SMALLEST bytes or more that end at a line end.

    A line longer than LONGEST_LINE is cut there, so memory stays bounded; the
    cut is not counted as a line end.
    """
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size < SMALLEST:
            continue
        block = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        cut = block.rfind(b"\n") + 1 or (size if size >= LONGEST_LINE else 0)
        if cut:
            yield block[:cut]
        waiting = [block[cut:]]
        size -= cut
    rest = b"".join(waiting)
    if rest:
        yield rest
