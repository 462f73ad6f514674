"""Bundles on disk and in pipes: written whole or not at all, read only where they can be read twice."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO

from triage.archive.bundles.exporting import Sender, Wanted, export
from triage.archive.bundles.manifest import Manifest
from triage.archive.bundles.reading import Bundle, open_bundle
from triage.archive.session import Archive
from triage.errors import InputError, UsageError

ENDING = ".triage.zip"


def export_file(archive: Archive, path: str, wanted: Wanted, sender: Sender, *, force: bool = False) -> Manifest:
    """Writes a bundle to a file, or to standard output where the path is ``-``.

    Raises:
        UsageError: a name that is no bundle's, a file that exists, a place that cannot be written, a terminal.
        ArchiveFault: the archive cannot be read; no file was made.
    """
    if path == "-":
        if sys.stdout.isatty():
            raise UsageError(
                "a bundle is no text for a terminal. Send it on: triage archive export - > team.triage.zip"
            )
        return export(archive, sys.stdout.buffer, wanted, sender)
    if not path.endswith(ENDING):
        raise UsageError(
            f"{path!r} is no name of a bundle: write {os.path.basename(path) or 'team'}{ENDING}, or - for a pipe."
        )
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists. Add --force to replace it.")
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as stream:
            manifest = export(archive, stream, wanted, sender)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as fault:
        raise UsageError(f"{path} cannot be written: {fault.strerror or fault}. No bundle was made.") from fault
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    return manifest


@contextmanager
def opened(path: str) -> Iterator[Bundle]:
    """A proved bundle from a file, or from standard input where the path is ``-``.

    Raises:
        InputError: missing, unreadable, or no whole bundle; says which.
    """
    with _stream(path) as stream, open_bundle(stream, "<stdin>" if path == "-" else path) as bundle:
        yield bundle


@contextmanager
def _stream(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        with TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept, 1 << 20)
            kept.seek(0)
            yield kept
        return
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder. Name the bundle in it (*{ENDING}).")
    try:
        stream = open(path, "rb")
    except OSError as fault:
        raise InputError(f"{path} cannot be read: {fault.strerror}. Check the path.") from None
    with stream:
        yield stream
