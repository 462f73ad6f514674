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
    folder = os.path.dirname(str(import_module(package).__file__))
    stems = (entry[:-3] for entry in os.listdir(folder) if entry.endswith(".py"))
    return sorted(stem.replace("_", "-") for stem in stems if not stem.startswith("_"))


def load(package: str, name: str) -> ModuleType:
    """The module of one id; raises UnknownName with a suggestion."""
    stem = name.replace("-", "_")
    folder = os.path.dirname(str(import_module(package).__file__))
    if not stem.isidentifier() or not os.path.isfile(os.path.join(folder, stem + ".py")):
        raise UnknownName(package.rpartition(".")[2].removesuffix("s"), name, names(package))
    return import_module(f"{package}.{stem}")
