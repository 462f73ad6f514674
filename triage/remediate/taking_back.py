"""Taking an applied cure back: what stood in the user's folder before stands there again, all of it or nothing.

``apply_left`` notes here what it changes and keeps what it replaces; ``take_back`` puts that back with the same
journal, and only where the files are still those of the cure.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from triage.errors import UsageError
from triage.workspace import digest
from triage.workspace.apply import Operation, apply, recover

APPLIED, BEFORE = "applied.json", "before"
SCHEMA = "triage.applied/1"


def keep(folder: str, home: str, operations: Sequence[Operation]) -> None:
    """Keeps what a cure replaces, and notes what it changes, in the folder that the repair left behind.

    Args:
        folder: of the repair.
        home: the user's folder.
        operations: what will be done there.
    """
    for one in operations:
        source, target = os.path.join(home, one.path), os.path.join(folder, BEFORE, one.path)
        if one.expected and os.path.isfile(source) and not (os.path.isfile(target) and digest(target) == one.expected):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)
            _sync(target)
    rows = [
        {"path": one.path, "before": one.expected, "after": digest(one.source) if one.source else None}
        for one in operations
    ]
    path = os.path.join(folder, APPLIED)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump({"schema": SCHEMA, "home": home, "files": rows}, stream, indent=1)
    _sync(path + ".new")
    os.replace(path + ".new", path)


def forget(folder: str) -> None:
    """Takes the note away: nothing is applied."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, APPLIED))


def applied(folder: str) -> dict[str, Any] | None:
    """What of a repair stands in the user's folder: the folder ``home`` and ``files``; None where nothing does."""
    try:
        with open(os.path.join(folder, APPLIED), encoding="utf-8") as stream:
            body = json.load(stream)
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) and body.get("schema") == SCHEMA else None


def stands(folder: str) -> bool:
    """Whether anything of the cure that was applied still stands in the user's folder."""
    body = applied(folder)
    return body is not None and any(
        row["before"] != row["after"] == _now(body["home"], row["path"]) for row in body["files"]
    )


def take_back(folder: str) -> tuple[str, list[str]]:
    """Puts back what stood in the user's folder before a cure was applied, all or nothing.

    Args:
        folder: what the repair left behind.

    Returns:
        The user's folder, and the paths that were changed.

    Raises:
        UsageError: nothing was applied from there, or the user's files were changed since; nothing was changed.
    """
    body = applied(folder)
    if body is None:
        raise UsageError(f"nothing of {folder} is applied, so there is nothing to take back")
    home = str(body["home"])
    if not os.path.isdir(home):
        raise UsageError(f"the folder of the build, {home}, is gone")
    recover(home)
    rows = [row for row in body["files"] if row["before"] != row["after"]]
    if not all(_now(home, row["path"]) == row["before"] for row in rows):  # else a crash came between the two steps
        apply(home, [_operation(folder, row) for row in rows], stale="The cure stays; undo by hand what is left.")
    forget(folder)
    return home, [row["path"] for row in rows]


def _operation(folder: str, row: Mapping[str, Any]) -> Operation:
    if row["before"] is None:
        return Operation(row["path"], None, row["after"])
    kept = os.path.join(os.path.abspath(folder), BEFORE, row["path"])
    if not os.path.isfile(kept) or digest(kept) != row["before"]:
        raise UsageError(f"nothing was changed: {kept} does not hold what stood there before")
    return Operation(row["path"], kept, row["after"])


def _now(home: str, path: str) -> str | None:
    full = os.path.join(home, path)
    return digest(full) if os.path.isfile(full) else None


def _sync(path: str) -> None:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
