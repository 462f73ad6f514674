"""Raw logs as the archive keeps them: secrets masked, cut to a bound, zstd, named by content."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from triage.masks import redact_log
from triage.records import KeptLog

LEVEL = 3
MARK = b"[triage: "


class Packed(NamedTuple):
    """A log ready to be stored. ``size`` and ``lines`` are those of the log as it came."""

    digest: str
    size: int
    lines: int
    stored: int
    cut: dict[str, Any] | None
    body: bytes


def pack(log: KeptLog, decisive: Sequence[tuple[int, str]] = ()) -> Packed:
    """Masks and compresses a log.

    Args:
        log: what was kept of it.
        decisive: lines (number, text) that must survive where the middle was cut.
    """
    text, cut = _joined(log, decisive)
    text = redact_log(text)
    return Packed(sha256(text).hexdigest(), log.size, log.lines, len(text), cut, compress(text))


def _joined(log: KeptLog, decisive: Sequence[tuple[int, str]]) -> tuple[bytes, dict[str, Any] | None]:
    if log.size == len(log.head) + len(log.tail):
        return log.head + log.tail, None
    head = log.head[: log.head.rfind(b"\n") + 1] or log.head
    tail = log.tail[log.tail.find(b"\n") + 1 :] or log.tail
    first = head.count(b"\n") + 1
    last = log.lines - tail.count(b"\n") - (not tail.endswith(b"\n"))
    saved = [(number, line.encode("utf-8", "replace") + b"\n") for number, line in decisive if first <= number <= last]
    cut = {
        "lines": [first, last],
        "bytes": log.size - len(head) - len(tail),
        "kept": [number for number, _ in saved],
    }
    note = b"%slines %d to %d of %d were not kept]\n" % (MARK, first, last, log.lines)
    return b"".join((head, note, *(line for _, line in saved), tail)), cut


_own = threading.local()  # a compressor serves one thread at a time; making one costs as much as a small text


def compress(data: bytes) -> bytes:
    """zstd, level 3."""
    made = getattr(_own, "compressor", None)
    if made is None:
        import zstandard

        made = _own.compressor = zstandard.ZstdCompressor(level=LEVEL)
    packed: bytes = made.compress(data)
    return packed


def decompress(body: bytes) -> bytes:
    """The bytes again. The size stands in the frame, so a bomb cannot be hidden in it."""
    import zstandard

    return zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 28)
