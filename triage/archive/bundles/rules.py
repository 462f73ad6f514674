"""Rule files that travel in a bundle. They are never installed: they go to a folder that a person names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from tempfile import TemporaryDirectory

from triage.archive.bundles.manifest import RULE_FILE
from triage.errors import InputError, RuleFault
from triage.library import load_library
from triage.rulebook.read import read_rule

LARGEST_RULE = 1 << 20


def gather(folder: str) -> dict[str, bytes]:
    """The rules below a folder: name of the part -> file.

    Raises:
        InputError: no such folder, no rule in it, or a name that bundles do not carry.
        RuleFault: rules that must not be loaded.
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is no folder of rules.")
    found = {}
    for base, subfolders, names in os.walk(folder):
        subfolders.sort()
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")):
                path = os.path.join(base, name)
                part = "rules/" + os.path.relpath(path, folder).replace(os.sep, "/")
                if not RULE_FILE.fullmatch(part):
                    raise InputError(
                        f"{path}: rules stand in <tool>/<topic>.yaml, in small letters, digits and dashes."
                    )
                with open(path, "rb") as stream:
                    found[part] = stream.read()
    if not found:
        raise InputError(f"{folder} holds no rule (<tool>/<topic>.yaml).")
    prove(found)
    return found


def prove(rules: Mapping[str, bytes]) -> None:
    """Puts rules through the rule loader. Raises RuleFault with every fault found."""
    causes = frozenset(load_library().knowledge.ids())
    faults: list[str] = []
    with TemporaryDirectory() as folder:
        for part, data in sorted(rules.items()):
            path = os.path.join(folder, *part.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(data)
            read_rule(path, os.path.join(folder, "rules"), causes, faults)
        faults = [fault.replace(folder + os.sep, "") for fault in faults]
    if faults:
        raise RuleFault(faults)


def check_place(rules: Mapping[str, bytes], folder: str) -> None:
    """Raises InputError where a file of another content stands in the way."""
    for part, data in sorted(rules.items()):
        path = _place(folder, part)
        if os.path.lexists(path) and _read(path) != data:
            raise InputError(f"{path} is another rule of that name. Move it away, or name another folder.")


def place(rules: Mapping[str, bytes], folder: str) -> list[str]:
    """Writes rules below a folder, each whole or not at all; gives the paths of those that were not there."""
    written = []
    for part, data in sorted(rules.items()):
        path = _place(folder, part)
        if os.path.lexists(path):
            continue
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            temporary = f"{path}.{os.getpid()}.tmp"
            with open(temporary, "xb") as stream:
                stream.write(data)
            os.replace(temporary, path)
        except OSError as fault:
            raise InputError(f"{path} cannot be written: {fault.strerror}.") from None
        written.append(path)
    return written


def _place(folder: str, part: str) -> str:
    return os.path.join(folder, *part.split("/")[1:])


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None
