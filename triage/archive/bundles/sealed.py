"""The file of a bundle: a zip whose last 64 bytes are the checksum of all bytes before them.

Part by part checksums stand in the manifest; the seal also covers what lies between the parts,
so that no byte can change unseen. Times and order are fixed: the same content gives the same bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, NamedTuple, Protocol, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from triage.errors import InputError

SEAL = 64
BITE = 1 << 20
LONGEST_LINE = 64 << 20
LARGEST_TOTAL = 1 << 37
LARGEST_RATIO = 200  # of all parts to the file; a bundle of very much alike incidents reaches some 40
FREE = 256 << 20  # a small file may unpack to this much in any case
MOST_PARTS = 5_000_000
_FIXED = (1980, 1, 1, 0, 0, 0)


class Sink(Protocol):
    """Where a bundle is written to."""

    def write(self, data: bytes, /) -> object:
        """Takes some bytes."""


class Part(NamedTuple):
    """What the manifest says of one part: checksum and size of what is in it."""

    sha256: str
    bytes: int


class _Sealing:
    """Passes bytes on and holds back the last 64, in whose place the seal goes. It cannot seek, so zip does not."""

    def __init__(self, sink: Sink) -> None:
        self._sink: Sink | None = sink
        self._held = b""
        self._digest = sha256()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Takes some bytes of the zip."""
        if self._sink is None:
            return len(data)
        held = self._held + bytes(data)
        passed, self._held = held[:-SEAL], held[-SEAL:]
        self._digest.update(passed)
        self._sink.write(passed)
        return len(data)

    def flush(self) -> None:
        """There is nothing to do; zipfile asks for it."""

    def seal(self) -> None:
        """Writes the seal in place of what was held back."""
        if self._sink is not None:
            self._sink.write(self._digest.hexdigest().encode())

    def drop(self) -> None:
        """Writes nothing more: what was begun is given up."""
        self._sink = None


class Writer:
    """Writes parts one after the other; ``parts`` are those not packed. Sealed where the block ends well."""

    def __init__(self, sink: Sink) -> None:
        self._file = _Sealing(sink)
        self._zip = ZipFile(self._file, "w")  # type: ignore[call-overload]  # zipfile needs no more than write and flush
        self._zip.comment = b" " * SEAL
        self.parts: dict[str, Part] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._file.drop()
        self._zip.close()
        self._file.seal()

    @contextmanager
    def part(self, name: str, *, packed: bool = False) -> Iterator[Callable[[bytes], None]]:
        """Gives a function that writes to the part; ``packed`` bytes are not compressed again."""
        entry = ZipInfo(name, _FIXED)
        entry.compress_type = ZIP_STORED if packed else ZIP_DEFLATED
        entry.external_attr, entry.create_system = 0o644 << 16, 3
        digest, size = sha256(), 0
        with self._zip.open(entry, "w", force_zip64=True) as stream:

            def write(data: bytes) -> None:
                nonlocal size
                size += len(data)
                digest.update(data)
                stream.write(data)

            yield write
        if not packed:  # logs.jsonl vouches for those: there may be very many
            self.parts[name] = Part(digest.hexdigest(), size)


class Reader:
    """An opened bundle whose seal fits. Parts are read in bites and never by a name that leads elsewhere."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        size = _check_seal(file, name)
        with self.faults():
            self._zip = ZipFile(file)
            self._check_entries(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Names of all parts, as they stand in the file."""
        return self._zip.namelist()

    def bites(self, name: str, said: Part | None = None) -> Iterator[bytes]:
        """The bytes of a part; raises InputError at the end where they are not what was said of them."""
        digest, size = sha256(), 0
        with self.faults(), self._zip.open(name) as stream:
            while bite := stream.read(BITE):
                digest.update(bite)
                size += len(bite)
                yield bite
        if said is not None and said != (digest.hexdigest(), size):
            raise InputError(f"{self.name}: {name} is not what its checksum says. Ask for the bundle again.")

    def lines(self, name: str, said: Part) -> Iterator[bytes]:
        """The lines of a part, without their ends."""
        rest = b""
        for bite in self.bites(name, said):
            *whole, rest = (rest + bite).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise InputError(f"{self.name}: {name} has a line of more than {LONGEST_LINE >> 20} MB.")
            yield from whole
        if rest:
            raise InputError(f"{self.name}: {name} ends in the middle of a line.")

    def size(self, name: str) -> int:
        """Bytes of a part, as the zip has it."""
        return self._zip.getinfo(name).file_size

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turns what zipfile raises into InputError."""
        try:
            yield
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, OSError, UnicodeDecodeError) as fault:
            raise InputError(f"{self.name} is no readable bundle ({fault}). Ask for it again.") from fault

    def _check_entries(self, size: int) -> None:
        entries = self._zip.infolist()
        names = {entry.filename for entry in entries}
        if len(names) != len(entries) or len(entries) > MOST_PARTS:
            raise InputError(f"{self.name} has two parts of one name, or far too many. It was not written by triage.")
        for entry in entries:
            if entry.flag_bits & 1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise InputError(f"{self.name}: {entry.filename!r:.80} is packed in a way that triage does not write.")
        total = sum(entry.file_size for entry in entries)
        if total > max(FREE, min(LARGEST_TOTAL, size * LARGEST_RATIO)):
            raise InputError(f"{self.name} would unpack to {total >> 20:,} MB, far more than its size allows.")


def _check_seal(file: IO[bytes], name: str) -> int:
    """Size of the file, whose seal fits."""
    if file.read(4) != b"PK\x03\x04":
        raise InputError(f"{name} is no bundle of triage. Bundles are made by: triage archive export FILE.triage.zip")
    size = file.seek(0, 2)
    file.seek(0)
    digest, left = sha256(), size - SEAL
    while left > 0 and (bite := file.read(min(BITE, left))):
        digest.update(bite)
        left -= len(bite)
    if file.read(SEAL + 1) != digest.hexdigest().encode():
        raise InputError(
            f"{name} is not as it was exported: it was cut off, damaged or packed anew. Ask for the bundle again."
        )
    return size
