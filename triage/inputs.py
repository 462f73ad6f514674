"""What a person names on the command line -> logs: files, pipes, archives, addresses.

An archive gives one log per member. Everything is read in chunks, so a log of any
size needs bounded memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, Self

from triage.errors import InputError

CHUNK = 1 << 20
ZSTD_BITE = 4096
HEAD = 1 << 16
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"),
)  # fmt: skip
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "a compiled program"), (b"\x89PNG", "a picture"), (b"GGUF", "a GGUF model"), (b"%PDF", "a PDF file"),
    (b"MZ", "a Windows program"), (b"ptrt", "a TensorRT engine"), (b"SQLite format 3", "a database"),
    (b"\xff\xd8\xff", "a picture"),
)  # fmt: skip


class Log(NamedTuple):
    """One log to diagnose: a name to show and its bytes in chunks."""

    name: str
    chunks: Iterator[bytes]


def open_logs(name: str) -> Iterator[Log]:
    """The log or logs behind one argument: ``-``, a path, an archive, an http(s) address.

    Raises:
        InputError: missing, unreadable, a folder, empty, or not text.
    """
    if name == "-":
        yield from _from_stream("<stdin>", _standard_input())
    elif name.startswith(("http://", "https://")):
        yield from _from_stream(name, _download(name))
    else:
        with _open(name) as stream:
            yield from _from_stream(name, stream)


def is_plain(path: str) -> bool:
    """Whether a file holds a log as UTF-8 text and nothing else: then it can be read in place.

    Raises:
        InputError: missing, unreadable, a folder, empty, or not text.
    """
    with _open(path) as stream:
        head = _read_head(stream, path)
    if not head:
        raise InputError(f"{path} is empty: there is nothing to diagnose.")
    if _kind(head) or head[257:262] == b"ustar":
        return False
    refuse_binary(path, head[:HEAD])
    from triage.ingest.decode import detect_encoding

    return detect_encoding(head) == ("utf-8", 0)


def _open(path: str) -> IO[bytes]:
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder. Name the log files in it, for example: triage diagnose {path}/*.log")
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist{_closest(path)}") from None
    except OSError as fault:
        raise InputError(f"{path} cannot be read: {fault.strerror}. Check its permissions.") from None


def _closest(path: str) -> str:
    from difflib import get_close_matches

    folder = os.path.dirname(path) or "."
    try:
        close = get_close_matches(os.path.basename(path), os.listdir(folder), n=1)
    except OSError:
        return f": there is no folder {folder}."
    return f". Did you mean {os.path.join(os.path.dirname(path), close[0])}?" if close else ". Check the path."


def _standard_input() -> IO[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("there is no standard input. Pipe a log in, or name a file.")
    return sys.stdin.buffer


def _download(address: str) -> IO[bytes]:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    try:
        answer = urlopen(Request(address, headers={"User-Agent": "triage"}), timeout=30)  # noqa: S310  http(s) only
    except (URLError, OSError, ValueError) as fault:
        reason = getattr(fault, "reason", fault)
        raise InputError(f"{address} cannot be fetched: {reason}. Download it and name the file.") from None
    stream: IO[bytes] = answer
    return stream


def _from_stream(name: str, stream: Any) -> Iterator[Log]:
    head = _read_head(stream, name)
    if not head:
        raise InputError(f"{name} is empty: there is nothing to diagnose.")
    chunks = _chain(head, stream, name)
    kind = _kind(head)
    if kind == "zip":
        yield from _zip_members(name, chunks)
        return
    if kind:
        chunks = _decompressed(kind, chunks, name)
        head = next(chunks, b"")
        chunks = _chain_iterator(head, chunks)
        if not head:
            raise InputError(f"{name} is empty once decompressed: there is nothing to diagnose.")
    if head[257:262] == b"ustar":
        yield from _tar_members(name, chunks)
        return
    refuse_binary(name, head[:HEAD])
    yield Log(name, chunks)


def _read_head(stream: Any, name: str) -> bytes:
    """At least HEAD bytes unless the stream ends: a pipe may give them in small parts."""
    parts: list[bytes] = []
    size = 0
    while size < HEAD:
        part = _read(stream, name)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _chain(head: bytes, stream: Any, name: str) -> Iterator[bytes]:
    yield head
    while chunk := _read(stream, name):
        yield chunk


def _read(stream: Any, name: str) -> bytes:
    try:
        chunk: bytes = stream.read(CHUNK)
    except _damage() as fault:
        raise InputError(f"{name}: reading failed ({fault}). Check the file, or fetch it again.") from None
    return chunk


def _chain_iterator(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _kind(head: bytes) -> str | None:
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def refuse_binary(name: str, head: bytes) -> None:
    """Raises InputError for bytes that are no text of any encoding."""
    for magic, what in _FOREIGN:
        if head.startswith(magic) and not head[:4096].isascii():
            raise InputError(f"{name} is {what}, not a log. Name the log that the failing command printed.")
    sample = head[:8192]
    if sample.isascii() and b"\0" not in sample:
        return
    from triage.ingest.decode import detect_encoding

    encoding = detect_encoding(head)
    text = sample[encoding.mark :].decode(encoding.name, "replace")
    odd = sum(1 for c in text if c == "\ufffd" or (c < " " and c not in "\t\n\r\x1b\f\b\a\0"))
    if odd > 0.25 * len(text) or (encoding.name == "utf-8" and text.count("\0") > 0.3 * len(text)):
        raise InputError(f"{name} is not text: {odd} of its first {len(text)} characters cannot be read. Name the log.")


class _Chunks:
    """Chunks as a file that decompressors can read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; all that is left for a negative size."""
        if size < 0:
            return self._chunk[self._at :] + b"".join(self._chunks)
        if self._at >= len(self._chunk):
            self._chunk, self._at = next(self._chunks, b""), 0
        out = self._chunk[self._at : self._at + size]
        self._at += len(out)
        return out


def _decompressed(kind: str, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The text in pieces of CHUNK, whatever it was packed from; says so when the packing ends early."""
    with _reader(kind, _Chunks(chunks)) as reader:
        while True:
            try:
                chunk = reader.read(CHUNK)
            except EOFError:
                print(
                    f"triage: {name}: the {kind} data ends early; what could be read of it is diagnosed. "
                    "Fetch the file again for the rest.",
                    file=sys.stderr,
                )
                return
            except _damage() as fault:
                raise InputError(f"{name}: the {kind} data is damaged ({fault}). Fetch the file again.") from None
            if not chunk:
                return
            yield chunk


def _reader(kind: str, stream: Any) -> Any:
    if kind == "gz":
        import gzip

        return gzip.GzipFile(fileobj=stream)
    if kind == "bz2":
        import bz2

        return bz2.BZ2File(stream)
    if kind == "xz":
        import lzma

        return lzma.LZMAFile(stream)
    return _ZstdReader(stream)


class _ZstdReader:
    """Zstandard frames as a file that says when the last one ends early."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._frame: Any = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._frame = None

    def read(self, _size: int) -> bytes:
        """The next text; EOFError where a frame is cut. Small bites keep what they unpack to small."""
        while True:
            bite = self._rest or self._stream.read(ZSTD_BITE)
            self._rest = b""
            if not bite:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError
                return b""
            if self._frame is None or self._frame.eof:
                import zstandard

                self._frame = zstandard.ZstdDecompressor().decompressobj()
            out: bytes = self._frame.decompress(bite)
            self._rest = self._frame.unused_data if self._frame.eof else b""
            if out:
                return out


def _damage() -> tuple[type[Exception], ...]:
    """What the archive libraries raise for data that they cannot read; imported when something was raised."""
    import lzma
    import tarfile
    import zipfile
    import zlib

    import zstandard

    return (
        OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
        zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError,
    )  # fmt: skip


def _spooled(chunks: Iterator[bytes]) -> IO[bytes]:
    from tempfile import SpooledTemporaryFile

    spool = SpooledTemporaryFile(max_size=64 << 20)
    for chunk in chunks:
        spool.write(chunk)
    spool.seek(0)
    return spool


def _zip_members(name: str, chunks: Iterator[bytes]) -> Iterator[Log]:
    import zipfile

    with _spooled(chunks) as spool:
        try:
            archive = zipfile.ZipFile(spool)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as fault:
            raise InputError(f"{name}: the zip is damaged ({fault}). Download it again.") from None
        with archive:
            members = [entry.filename for entry in archive.infolist() if not entry.is_dir() and entry.file_size]
            yield from _members(name, job_logs(members), archive.open)


def job_logs(members: list[str]) -> list[str]:
    """Of a GitHub Actions archive only the whole-job logs: its folders repeat them step by step."""
    top = [member for member in members if "/" not in member]
    folders = {member.partition("/")[0] for member in members if "/" in member}
    if top and folders and folders <= {_job(member) for member in top}:
        return top
    return members


def _job(member: str) -> str:
    stem = member.rpartition(".")[0]
    number, _, job = stem.partition("_")
    return job if number.lstrip("-").isdigit() else stem


def _tar_members(name: str, chunks: Iterator[bytes]) -> Iterator[Log]:
    import tarfile

    with _spooled(chunks) as spool:
        try:
            archive = tarfile.open(fileobj=spool, mode="r:")
        except tarfile.TarError as fault:
            raise InputError(f"{name}: the tar is damaged ({fault}).") from None
        with archive:
            try:
                members = [entry.name for entry in archive if entry.isfile() and entry.size]
            except _damage() as fault:
                raise InputError(f"{name}: the tar is damaged ({fault}). Fetch it again.") from None
            yield from _members(name, members, archive.extractfile)


def _members(name: str, members: list[str], opener: Callable[[str], Any]) -> Iterator[Log]:
    found = 0
    for member in members:
        try:
            stream = opener(member)
        except _damage() as fault:
            print(f"triage: skipped: {name}!{member}: {fault}", file=sys.stderr)
            continue
        if stream is None:
            continue
        with stream:
            try:
                yield from _from_stream(f"{name}!{member}", stream)
                found += 1
            except InputError as fault:
                print(f"triage: skipped: {fault}", file=sys.stderr)
    if not found:
        raise InputError(f"{name} holds no readable log.")
