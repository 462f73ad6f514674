"""What a command printed, kept in a file while it runs: bounded memory, whatever the size."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from threading import Event, Lock
from types import TracebackType
from typing import Self

LIMIT = 2 << 30  # bytes that go to the disk
TAIL = 8 << 20  # bytes of the end that stay in memory where the disk takes no more
_CHUNK = 1 << 20
_LOOK = 0.05  # seconds between looks at a log that grows


class Capture:
    """A log in a temporary folder that only its owner can read; leaving the ``with`` block removes it.

    Beyond ``limit`` bytes, or where the disk takes no more, the last 8 MiB are kept
    instead, for a failure stands at the end. ``path`` then holds the beginning;
    ``chunks`` gives both with a line between that says what is missing. ``size``
    counts all bytes, ``cut`` the missing ones, ``fault`` says why the disk refused.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.size = 0
        self.path: str | None = None
        self.fault: str | None = None
        self._limit = limit
        self._written = 0
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._lock = Lock()
        self._complete = Event()
        self._file = -1
        self._folder: str | None = None
        try:
            self._folder = tempfile.mkdtemp(prefix="triage-run-")
            path = os.path.join(self._folder, "log.txt")
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self.path = path
        except OSError as fault:
            self._refuse(fault)

    @property
    def cut(self) -> int:
        """Bytes that were printed and are kept nowhere."""
        return self.size - self._written - self._tail_size

    def add(self, data: bytes) -> None:
        """Appends what was printed; may be called from several threads, never fails."""
        with self._lock:
            self.size += len(data)
            if self._file >= 0 and not self._tail:
                data = data[self._write(data) :]
            if data:
                self._remember(data)

    def _write(self, data: bytes) -> int:
        """Number of bytes that the disk took."""
        done, wanted = 0, min(len(data), self._limit - self._written)
        try:
            while done < wanted:
                done += os.write(self._file, data[done:wanted] if done or wanted < len(data) else data)
        except OSError as fault:
            self._refuse(fault)
        self._written += done
        return done

    def _remember(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= TAIL:
            self._tail_size -= len(self._tail.popleft())

    def _refuse(self, fault: OSError) -> None:
        self.fault = f"the log could not be kept whole: {fault.strerror or fault}"
        self._limit = 0

    def flush(self) -> None:
        """Says in ``fault`` where more was printed than is kept."""
        if self.cut and not self.fault:
            self.fault = f"the log is longer than {self._limit:,} bytes: {self.cut:,} bytes before its end are not kept"

    @property
    def whole(self) -> bool:
        """Whether all that was printed so far lies in the file at ``path``."""
        return self.path is not None and self.fault is None and self._written == self.size

    def wait(self, seconds: float) -> bool:
        """Whether nothing more will be added; waits for that at most so long."""
        return self._complete.wait(seconds)

    def finish(self) -> None:
        """Nothing more will be added: those who follow the log come to its end."""
        self._complete.set()

    def follow(self) -> Iterator[bytes]:
        """As ``chunks``, from the start of the log while it still grows; ends after ``finish``."""
        position = 0
        while not self._complete.wait(_LOOK):
            while self._written - position >= _CHUNK:
                data = self._read(position)
                position += len(data)
                yield data
        yield from self.chunks(position)

    def _read(self, position: int) -> bytes:
        return os.pread(self._file, min(_CHUNK, self._written - position), position)

    def chunks(self, position: int = 0) -> Iterator[bytes]:
        """The log from its start, or from a position, in pieces of up to 1 MiB; can be asked for again and again."""
        while self._file >= 0 and position < self._written:
            data = self._read(position)
            if not data:
                break
            position += len(data)
            yield data
        if self.cut:
            yield f"\n[{self.cut:,} bytes were not kept]\n".encode()
        yield from tuple(self._tail)

    def close(self) -> None:
        """Removes the file and its folder."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            self._limit = 0
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
