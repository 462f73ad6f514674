"""Finds what exists by looking in its folder. The only discovery code.

A module's stem is its id: listing names imports nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from triage.errors import UnknownName


def names(package: str) -> list[str]:
    """Ids of the modules in a package, sorted; nothing is imported but the package."""
    return stems(os.path.dirname(str(import_module(package).__file__)))


def stems(folder: str) -> list[str]:
    """Ids of the modules and packages in a folder, sorted; nothing is imported."""
    found = (
        entry.removesuffix(".py")
        for entry in os.listdir(folder)
        if entry.endswith(".py") or os.path.isfile(os.path.join(folder, entry, "__init__.py"))
    )
    return sorted(stem.replace("_", "-") for stem in found if not stem.startswith("_"))


def load(package: str, name: str) -> ModuleType:
    """The module of one id; raises UnknownName with a suggestion."""
    known = names(package)
    if name.replace("_", "-") not in known:
        kind = package.rpartition(".")[2]
        raise UnknownName(kind.removesuffix("es" if kind.endswith("xes") else "s"), name, known)
    return import_module(f"{package}.{name.replace('-', '_')}")
