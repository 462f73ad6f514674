"""All compiled knowledge of this installation: rules, formats, causes, tables.

Compiling takes seconds, so the result is kept in the cache folder. A stamp (names,
sizes, times of all files) finds it without reading a rule; when the stamp is new,
the content decides, so that a changed rule is always compiled again.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock  # threading itself costs an import
from typing import NamedTuple

from triage import __version__
from triage.folders import cache_folder, data_folder, package_folder
from triage.knowledge import Knowledge
from triage.rulebook.book import Rulebook

_PARTS = ("book", "tables", "db", "kb")


class Library(NamedTuple):
    """What a diagnosis needs besides the log."""

    rulebook: Rulebook
    knowledge: Knowledge
    key: str

    @property
    def edition(self) -> str:
        """What these rules and articles are, by content: the same on every machine."""
        return self.key[8:]


_READER = package_folder("knowledge.py")  # compiles kb/, as rulebook/ compiles rules/
_PACKAGED = package_folder("_data")
_loaded: dict[tuple[str, str], Library] = {}
_loading = allocate_lock()


def load_library(rules: str | None = None, kb: str | None = None) -> Library:
    """The compiled library, from memory, the cache, or compiled now.

    Args:
        rules: folder of rules; default the installation's.
        kb: folder of knowledge; default the installation's.

    Raises:
        RuleFault, KnowledgeFault: files that must not be loaded, all named.
    """
    folders = (rules or data_folder("rules"), kb or data_folder("kb"))
    if folders not in _loaded:
        with _loading:  # threads of the desk ask at once; compiling takes seconds
            if folders not in _loaded:
                _loaded[folders] = _from_cache(*folders)
    return _loaded[folders]


def _from_cache(rules: str, kb: str) -> Library:
    cache = cache_folder()
    knowledge = (os.path.join(kb, "causes"), os.path.join(kb, "compat"))
    sources = (rules, *knowledge, package_folder("ingest", "formats"), package_folder("rulebook"))
    stamp = _stamp(sources)
    stamp_file = os.path.join(cache, f"stamp-{stamp}")
    try:
        with open(stamp_file, encoding="ascii") as stream:
            key = stream.read()
        return _library([_read(os.path.join(cache, f"{key}.{part}")) for part in _PARTS], key)
    except _damaged():
        pass
    key = _content_key(sources)
    files = [os.path.join(cache, f"{key}.{part}") for part in _PARTS]
    try:
        parts = [_read(path) for path in files]
        library = _library(parts, key)
    except _damaged():
        parts = _compile(rules, kb)
        library = _library(parts, key)
    _save(cache, dict(zip(files, parts, strict=True)), stamp_file, key)
    return library


def _damaged() -> tuple[type[Exception], ...]:
    """What reading a damaged cache raises; asked for only when something was raised."""
    from hyperscan import HyperscanError

    return (OSError, ValueError, KeyError, IndexError, TypeError, HyperscanError)


def _library(parts: list[bytes], key: str) -> Library:
    book, tables, database, knowledge = parts
    rulebook = Rulebook(book, tables, database)
    if rulebook.database is None:  # loaded now, so that a damaged one is found here
        raise ValueError("no database")
    return Library(rulebook, Knowledge(knowledge), key)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _stamp(folders: tuple[str, ...]) -> str:
    """A number that changes when any file below the folders is added, removed or written.

    What an installed package brought is not edited in place, so there the folders'
    own times tell; a thousand files would cost a tenth of a cold start.
    """
    total: list[object] = [sys.version_info[:2], __version__, os.stat(_READER).st_mtime_ns, folders]
    for folder in folders:
        stack = [folder]
        packaged = folder.startswith(_PACKAGED)
        while stack:
            below = stack.pop()
            if packaged:
                total += (below, os.stat(below).st_mtime_ns)
            with os.scandir(below) as entries:
                for entry in entries:
                    if entry.name.startswith(("_", ".")):
                        continue
                    if entry.is_dir():
                        stack.append(entry.path)
                    elif not packaged:
                        status = entry.stat()
                        total += (entry.name, status.st_size, status.st_mtime_ns)
    from zlib import crc32

    text = repr(total).encode()
    return f"{crc32(text):08x}{crc32(text, 1):08x}{len(text):x}"


def _content_key(folders: tuple[str, ...]) -> str:
    from hashlib import sha256
    from importlib.metadata import version
    from platform import machine

    machinery = sha256(f"{__version__} {version('hyperscan')} {machine()} {sys.platform}".encode())
    digest = sha256(_read(_READER))
    for folder in folders:
        for base, subfolders, names in os.walk(folder):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith(("_", ".")))
            for name in sorted(names):
                if name.endswith((".yaml", ".yml", ".md", ".py")):
                    path = os.path.join(base, name)
                    digest.update(os.path.relpath(path, folder).encode() + b"\0" + _read(path) + b"\0")
    return machinery.hexdigest()[:8] + digest.hexdigest()[:24]


def _compile(rules: str, kb: str) -> list[bytes]:
    from triage.ingest.formats import compile_formats
    from triage.knowledge import compile_knowledge
    from triage.rulebook.compile import compile_book
    from triage.rulebook.read import read_rules

    knowledge = compile_knowledge(kb)
    sources = read_rules(rules, frozenset(Knowledge(knowledge).ids()))
    formats = compile_formats()
    compiled = compile_book(sources, formats.facts, {"formats": formats.lines})
    return [compiled.book, compiled.tables, compiled.database, knowledge]


def _save(cache: str, files: dict[str, bytes], stamp_file: str, key: str) -> None:
    """Keeps the compiled parts; a cache that cannot be written only costs time."""
    try:
        os.makedirs(cache, exist_ok=True)
        _forget(cache, keep=12)
        for path, data in files.items():
            _write(path, data)
        _write(stamp_file, key.encode())
    except OSError as fault:
        print(f"triage: compiled rules cannot be kept in {cache}: {fault.strerror}", file=sys.stderr)


def _write(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as stream:
        stream.write(data)
    os.replace(temporary, path)


def _forget(cache: str, keep: int) -> None:
    """Drops the oldest files of earlier rule sets."""
    entries = sorted(os.scandir(cache), key=lambda e: e.stat().st_mtime, reverse=True)
    for entry in entries[keep * 5 :]:
        if entry.is_file():
            os.unlink(entry.path)
