"""A copy of what a build needs, which fixes may change; its difference to the user's files.

The user's folder is read once, into a base copy, and each attempt forks that copy. On file systems that can, copies
take no space. No link ever leads to the user's own files, so nothing that a build does in its copy can reach them.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from triage.errors import UsageError

SKIPPED = (
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".ipynb_checkpoints", ".triage",
)  # fmt: skip
_SPARE = 1 << 30  # bytes of disk to leave free
_MOST_FILES = 200_000


class File(NamedTuple):
    """A file's content as it was copied: size, time of change and, once asked for, hash."""

    size: int
    changed: int
    digest: str


class Workspace:
    """One copy of a build's folder.

    ``root`` is where it stands, ``origin`` the user's folder that it shows.
    """

    def __init__(self, root: str, origin: str) -> None:
        self.root = root
        self.origin = origin

    def path(self, relative: str) -> str:
        """The absolute path of a file in this copy.

        Raises:
            UsageError: it leads out of the copy.
        """
        path = os.path.normpath(os.path.join(self.root, relative))
        if path != self.root and not path.startswith(self.root + os.sep):
            raise UsageError(f"{relative} leads out of the build's folder {self.origin}")
        return path

    def fork(self, root: str) -> Workspace:
        """A further copy. Nothing is linked: onnx refuses weights that have several names."""
        _copy_tree(self.root, root)
        return Workspace(root, self.origin)

    def files(self) -> dict[str, File]:
        """Every file of the copy, by its relative path, with a hash of its content."""
        return {path: _file(os.path.join(self.root, path)) for path in walk(self.root)}

    def remove(self) -> None:
        """Deletes the copy."""
        shutil.rmtree(self.root, ignore_errors=True)


def copy_of(folder: str, root: str, skip: Sequence[str] = ()) -> Workspace:
    """The base copy of a user's folder.

    Args:
        folder: the user's folder; is only read.
        root: where the copy shall stand; must not exist.
        skip: patterns of relative paths to leave out.

    Raises:
        UsageError: there are too many files, they do not fit on the disk, or one cannot be read.
    """
    size = 0
    for count, path in enumerate(walk(folder, skip), 1):
        size += os.lstat(os.path.join(folder, path)).st_size
        if count > _MOST_FILES:
            raise UsageError(
                f"{folder} holds more than {_MOST_FILES:,} files. Run triage fix in the build's own folder."
            )
    os.makedirs(root)
    free = shutil.disk_usage(root).free
    if size + _SPARE > free:
        raise UsageError(
            f"a copy of {folder} needs {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in {root}. "
            "Name another place with --output DIR, or run triage fix in the build's own folder."
        )
    try:
        _copy_tree(folder, root, skip)
    except OSError as fault:
        raise UsageError(f"{fault.filename or folder} cannot be copied: {fault.strerror}") from None
    return Workspace(root, os.path.realpath(folder))


def walk(folder: str, skip: Sequence[str] = ()) -> Iterator[str]:
    """Relative paths of the files below a folder, sorted, without caches, environments and repositories."""
    for base, folders, names in os.walk(folder):
        inside = os.path.relpath(base, folder)
        folders[:] = sorted(name for name in folders if not _left_out(base, name))
        for name in sorted(names + [entry for entry in folders if os.path.islink(os.path.join(base, entry))]):
            path = name if inside == "." else f"{inside}/{name}".replace(os.sep, "/")
            if not any(fnmatch.fnmatch(path, pattern) for pattern in skip):
                yield path


def copy_file(source: str, target: str) -> None:
    """Copies content, mode and times; without using space where the file system can."""
    with open(source, "rb") as given, open(target, "wb") as taken:
        if not _cloned(given.fileno(), taken.fileno()):
            shutil.copyfileobj(given, taken, 1 << 20)
    shutil.copystat(source, target)


def digest(path: str) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def guardable(folder: str) -> str | None:
    """The folder, or None where guarding it would keep others from making files of their own beside it.

    Below a shared folder for temporary files nothing new could be made there, and servers do that.
    """
    place = os.path.dirname(os.path.realpath(folder))
    while place != os.path.dirname(place):
        if os.path.isdir(place) and os.stat(place).st_mode & stat.S_ISVTX:
            return None
        place = os.path.dirname(place)
    return folder


def _left_out(base: str, name: str) -> bool:
    """Caches, repositories and environments are no part of a build."""
    folder = os.path.join(base, name)
    environment = (os.path.exists(os.path.join(folder, mark)) for mark in ("pyvenv.cfg", "conda-meta"))
    return name in SKIPPED or any(environment)


def _file(path: str) -> File:
    told = os.lstat(path)
    if stat.S_ISLNK(told.st_mode):
        return File(0, 0, "-> " + os.readlink(path))
    return File(told.st_size, told.st_mtime_ns, digest(path))


def _copy_tree(source: str, target: str, skip: Sequence[str] = ()) -> None:
    """Copies a tree; links inside it stay links, those that lead out of it become what they show."""
    os.makedirs(target, exist_ok=True)
    _copy_folders(source, target)
    inside = os.path.realpath(source) + os.sep
    for path in walk(source, skip):
        given, taken = os.path.join(source, path), os.path.join(target, path)
        if os.path.islink(given):
            real = os.path.realpath(given)
            if real.startswith(inside) and not os.path.isabs(os.readlink(given)):
                os.symlink(os.readlink(given), taken)
                continue
            if os.path.isdir(real):
                _copy_tree(real, taken)
                continue
            if not os.path.exists(real):
                os.symlink(os.readlink(given), taken)
                continue
        if not stat.S_ISREG(os.stat(given).st_mode):
            continue  # pipes and sockets are no part of a build
        copy_file(given, taken)
        os.chmod(taken, os.stat(taken).st_mode | stat.S_IWUSR | stat.S_IRUSR)


def _copy_folders(source: str, target: str) -> None:
    for base, folders, _ in os.walk(source):
        folders[:] = [
            name for name in folders
            if not (_left_out(base, name) or os.path.islink(os.path.join(base, name)))
        ]  # fmt: skip
        for name in folders:
            os.makedirs(os.path.join(target, os.path.relpath(os.path.join(base, name), source)), exist_ok=True)


def _cloned(given: int, taken: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(taken, 0x40049409, given)  # FICLONE: btrfs, xfs, bcachefs
    except (ImportError, OSError) as fault:
        if isinstance(fault, OSError) and fault.errno == errno.ENOSPC:
            raise
        return False
    return True
