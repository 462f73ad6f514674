"""Where the bytes of a log are: a file that is read in place, or bytes that keep coming.

Both give any range of bytes to any number of threads; one thread may add at the same time.
"""

from __future__ import annotations

import os
import tempfile
import threading
from typing import IO, Protocol

from triage.errors import InputError

IN_MEMORY = 8 << 20
TAIL = 64


class Store(Protocol):
    """What a document needs of its bytes; ``bytes_read`` counts what was asked for."""

    bytes_read: int

    @property
    def size(self) -> int:
        """Bytes there are now."""

    def read(self, offset: int, size: int) -> bytes:
        """The bytes of a range, fewer at the end."""

    def close(self) -> None:
        """Lets go of files."""


def _pread(stream: IO[bytes], offset: int, size: int, lock: threading.Lock) -> bytes:
    try:
        if hasattr(os, "pread"):
            return os.pread(stream.fileno(), size, offset)
        with lock:
            stream.seek(offset)
            return stream.read(size)
    except (ValueError, OSError):
        if stream.closed:  # by another thread, while this one was at work
            return b""
        raise


class FileStore:
    """A file read in place. ``changed`` compares it with what was seen last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.bytes_read = 0
        self._lock = threading.Lock()
        self._old: list[IO[bytes]] = []
        self._stream = self._open()
        self._seen = os.fstat(self._stream.fileno()).st_size

    def _open(self) -> IO[bytes]:
        try:
            return open(self.path, "rb", buffering=0)
        except FileNotFoundError:
            raise InputError(f"{self.path} does not exist. Check the path.") from None
        except IsADirectoryError:
            raise InputError(f"{self.path} is a folder. Name a log file in it.") from None
        except OSError as fault:
            raise InputError(f"{self.path} cannot be read: {fault.strerror}. Check its permissions.") from None

    @property
    def size(self) -> int:
        """Bytes at the last look."""
        return self._seen

    def read(self, offset: int, size: int) -> bytes:
        """The bytes of a range; short reads are continued."""
        parts: list[bytes] = []
        size = min(size, self._seen - offset)
        while size > 0:
            part = _pread(self._stream, offset, size, self._lock)
            if not part:  # it was cut short, or closed
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
            self.bytes_read += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def replaced(self, known: bytes, end: int) -> str:
        """Why the bytes known so far hold no longer, empty where they do. Takes in the present size.

        Args:
            known: up to TAIL bytes that stood before ``end``.
            end: how far the file is known.
        """
        if self._stream.closed:
            return ""
        try:
            now = os.stat(self.path)
        except OSError:  # deleted: what is open can still be read
            now = os.fstat(self._stream.fileno())
        mine = os.fstat(self._stream.fileno())
        if (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino):
            fresh = self._open()
            self._old.append(self._stream)  # another thread may be reading it just now
            self._stream = fresh
            if len(self._old) > 2:
                self._old.pop(0).close()
            self._seen = os.fstat(self._stream.fileno()).st_size
            return "the file was replaced; read again from its start"
        smaller = mine.st_size < end
        self._seen = mine.st_size
        if smaller:
            return "the file was cut short; read again from its start"
        if known and self.read(end - len(known), len(known)) != known:
            return "the file was written anew; read again from its start"
        return ""

    def close(self) -> None:
        """Closes the file."""
        for stream in (self._stream, *self._old):
            stream.close()


class GrowingStore:
    """Bytes that are handed in: in memory up to IN_MEMORY, then in a temporary file that nobody else sees."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self._lock = threading.Lock()
        self._memory = bytearray()
        self._spool: IO[bytes] | None = None
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes handed in so far."""
        return self._size

    @property
    def spooled(self) -> bool:
        """Whether the bytes went to a temporary file."""
        return self._spool is not None

    def append(self, data: bytes) -> None:
        """Adds bytes at the end."""
        with self._lock:
            if self._spool is None and self._size + len(data) > IN_MEMORY:
                spool = tempfile.TemporaryFile(prefix="triage-", buffering=0)
                _write(spool, bytes(self._memory))
                self._spool = spool
                self._memory = bytearray()
            if self._spool is None:
                self._memory += data
            else:
                self._spool.seek(0, os.SEEK_END)
                _write(self._spool, data)
            self._size += len(data)

    def read(self, offset: int, size: int) -> bytes:
        """The bytes of a range."""
        with self._lock:
            if self._spool is None:
                data = bytes(self._memory[offset : offset + size])
            else:
                self._spool.seek(offset)
                data = self._spool.read(max(0, min(size, self._size - offset)))
            self.bytes_read += len(data)
            return data

    def close(self) -> None:
        """Forgets the bytes; the temporary file vanishes."""
        with self._lock:
            if self._spool is not None:
                self._spool.close()
                self._spool = None
            self._memory = bytearray()
            self._size = 0


def _write(stream: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
