"""Which backends can build a model directly: found by looking, no list."""

from __future__ import annotations

import os

from triage import discovery
from triage.folders import package_folder

PACKAGE = "triage.backends"


def targets() -> list[str]:
    """Names for ``--target``: backends that have ``prepare``. Nothing is imported, so that help stays fast."""
    folder = package_folder("backends")
    found = []
    for name in discovery.names(PACKAGE):
        with open(os.path.join(folder, f"{name.replace('-', '_')}.py"), encoding="utf-8") as stream:
            if "\ndef prepare(" in stream.read():
                found.append(name)
    return found
