"""Installed Python packages, read off the names of their folders: no metadata file is opened."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from triage.environment.ask import Question, ask, read

_SEPARATORS = re.compile(r"[-_.]+")
_LIMIT = 5.0  # seconds that another Python may take to say where its packages are
_CODE = "import sys; print(sys.version.split()[0]); print('\\n'.join(p for p in sys.path if p))"


def asked(python: str | None, environ: Mapping[str, str] | None = None) -> Question | None:
    """Starts asking another Python where it looks; None where that is our own."""
    if python is None or os.path.abspath(python) == os.path.abspath(sys.executable):
        return None
    return ask((python, "-c", _CODE), _LIMIT, env=environ)


def told(question: Question | None) -> tuple[str, list[str]] | None:
    """Version and search path of the Python that was asked; our own where none was; None without an answer."""
    if question is None:
        return sys.version.split()[0], [folder for folder in sys.path if folder]
    lines = (question.answer() or "").splitlines()
    return (lines[0], lines[1:]) if lines else None


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Normalised names and versions of what is installed; of several the first on the path, as imports do."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for entry in sorted(names):
            if entry.endswith((".dist-info", ".egg-info")):
                name, version = _named(folder, entry)
                if version:
                    found.setdefault(name, version)
    return dict(sorted(found.items()))


def _named(folder: str, entry: str) -> tuple[str, str | None]:
    parts: Sequence[str] = entry.rpartition(".")[0].split("-")
    name = normalised(parts[0])
    if len(parts) > 1:
        return name, parts[1]
    text = read(os.path.join(folder, entry, "PKG-INFO")) or read(os.path.join(folder, entry, "METADATA")) or ""
    stated = re.search(r"^Version: (\S+)", text, re.MULTILINE)
    return name, stated[1] if stated else None


def normalised(name: str) -> str:
    """A package's name as indexes compare it.

    >>> normalised("TensorRT_cu12.libs")
    'tensorrt-cu12-libs'
    """
    return _SEPARATORS.sub("-", name).lower()
