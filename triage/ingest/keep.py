"""Keeps a log's start and end while its chunks pass by, for the archive."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from triage.records import KeptLog

HALF = 4 << 20


class Keeper:
    """Holds at most twice ``half`` bytes (and one chunk more) of what it lets pass."""

    def __init__(self, half: int = HALF) -> None:
        self._half = half
        self._head: list[bytes] = []
        self._head_size = 0
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._size = 0
        self._lines = 0
        self._open = False

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks."""
        for chunk in chunks:
            self._take(chunk)
            yield chunk

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._size += len(chunk)
        self._lines += chunk.count(b"\n")
        self._open = not chunk.endswith(b"\n")
        room = self._half - self._head_size
        if room > 0:
            self._head.append(chunk[:room])
            self._head_size += len(self._head[-1])
            chunk = chunk[room:]
        if chunk:
            self._tail.append(chunk)
            self._tail_size += len(chunk)
            while self._tail_size - len(self._tail[0]) >= self._half:
                self._tail_size -= len(self._tail.popleft())

    def kept(self) -> KeptLog:
        """What was kept so far; head and tail overlap nowhere."""
        tail = b"".join(self._tail)
        return KeptLog(b"".join(self._head), tail[-self._half :], self._size, self._lines + self._open)
