"""A copy of the whole archive in one file, made while others go on filing, checked before it counts."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from typing import NamedTuple

from triage.archive import upkeep
from triage.archive.session import Archive
from triage.errors import ArchiveFault, UsageError

_PAGES = 16_384  # copied between two looks at the keyboard


class Backup(NamedTuple):
    """A backup that was made and checked: where, how many bytes, and how to put it back."""

    path: str
    size: int
    restore: str


def backup(archive: Archive, path: str, *, force: bool = False) -> Backup:
    """Writes the archive, as it is now, to a file; whole and sound, or not at all.

    Raises:
        UsageError: no archive, a path that cannot be taken, or no pg_dump here (says what to type).
        ArchiveFault: it could not be read or written, or the copy did not pass its check.
    """
    upkeep.ours(archive)
    _check_target(archive, path, force=force)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        if archive.is_sqlite:
            _copy_sqlite(archive, temporary)
            restore = f"stop what uses the archive, then put the file in its place: {archive.path}"
        else:
            restore = _dump_postgres(archive, temporary, path)
        _settle(temporary, path)
    except OSError as fault:
        raise ArchiveFault(f"the backup cannot be written to {path}: {fault.strerror}. Nothing was changed.") from fault
    finally:
        for name in (temporary, f"{temporary}-journal", f"{temporary}-wal", f"{temporary}-shm"):
            with suppress(OSError):
                os.unlink(name)
    return Backup(path, os.path.getsize(path), restore)


def _check_target(archive: Archive, path: str, *, force: bool) -> None:
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(f"{path}: its folder does not exist.")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder. Name a file in it.")
    if not os.path.lexists(path):
        return
    if archive.path and os.path.exists(path) and os.path.samefile(path, archive.path):
        raise UsageError(f"{path} is the archive itself. Name another file.")
    if not force:
        raise UsageError(f"{path} exists. Add --force to replace it.")
    if any(os.path.exists(path + ending) for ending in ("-wal", "-journal")):
        raise UsageError(f"{path} is a database in use (it has a -wal or -journal file). Name another file.")


def _copy_sqlite(archive: Archive, temporary: str) -> None:
    """By SQLite's backup: one state of the archive, and no writer waits for it."""
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with archive.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")  # from here on one state is seen
        source: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        try:
            with closing(sqlite3.connect(temporary)) as target:
                source.backup(target, pages=_PAGES)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, that can also be read where none is written
                found = [row[0] for row in target.execute("PRAGMA integrity_check(5)")]
        except sqlite3.Error as fault:
            raise ArchiveFault(f"no backup was made: {fault}. Is there room on the disk?") from fault
    if found != ["ok"]:
        raise ArchiveFault(f"no backup was made, for the copy is damaged: {'; '.join(found)}. Type: triage db check")


def _dump_postgres(archive: Archive, temporary: str, path: str) -> str:
    """By pg_dump; the password goes by the environment, where other users cannot read it."""
    address = archive.url.set(drivername="postgresql", password=None).render_as_string()
    tool = shutil.which("pg_dump")
    if tool is None:
        raise UsageError(
            "PostgreSQL is backed up by pg_dump, which is not installed here. Where it is, type: "
            f"pg_dump --format=custom --no-owner --file={path} '{address}'"
        )
    password = {"PGPASSWORD": archive.url.password} if archive.url.password else {}
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _run(tool, "--format=custom", "--no-owner", f"--file={temporary}", f"--dbname={address}", **password)
    reader = shutil.which("pg_restore")
    if reader:
        _run(reader, "--list", temporary)
    return f"pg_restore --clean --if-exists --no-owner --dbname='{address}' {path}"


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[:400]
        raise ArchiveFault(f"no backup was made: {os.path.basename(command[0])} said: {said}")


def _settle(temporary: str, path: str) -> None:
    """On disk first, then under its name: a power cut leaves the old backup or the new one."""
    with open(temporary, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(temporary, path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
