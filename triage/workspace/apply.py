"""Putting a cure into the user's folder: all of it or nothing, also when the power goes.

Everything new is first written and synced below ``.triage/apply`` in that folder. Then a journal is put in place by
one rename: from there on the change counts as made, and ``recover`` finishes what a crash interrupted. Before that
moment nothing of the user's was touched, and ``recover`` only clears the staging away.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from triage.errors import UsageError
from triage.workspace import copy_file, digest

STAGING = os.path.join(".triage", "apply")
_JOURNAL = "journal.json"


class Operation(NamedTuple):
    """One change of one file.

    ``source`` is an absolute path of the new content, None to remove the file. ``expected`` is the digest that
    the user's file must have now, None where there must be none.
    """

    path: str
    source: str | None
    expected: str | None


_STALE = "The cure was found for other files; run triage fix again."


def apply(folder: str, operations: Sequence[Operation], *, stale: str = _STALE) -> None:
    """Makes all changes.

    Args:
        folder: the user's.
        operations: all of them, or none.
        stale: what to do where a file is not as it should be.

    Raises:
        UsageError: a file is no longer what the cure was found for, or cannot be written; nothing was changed.
    """
    recover(folder)
    _check(folder, operations, stale)
    staging = os.path.join(folder, STAGING)
    try:
        os.makedirs(staging)
        for number, operation in enumerate(operations):
            if operation.source is not None:
                _stage(operation.source, os.path.join(staging, str(number)), os.path.join(folder, operation.path))
        steps = [{"path": one.path, "new": one.source is not None} for one in operations]
        _write_journal(staging, {"steps": steps})
    except OSError as fault:
        clear(folder)
        raise UsageError(
            f"nothing was changed: {fault.filename or folder} cannot be written: {fault.strerror}"
        ) from None
    recover(folder)


def recover(folder: str) -> bool:
    """Finishes a change that was interrupted, or clears away one that had not begun; says whether it finished one."""
    staging = os.path.join(folder, STAGING)
    try:
        with open(os.path.join(staging, _JOURNAL), encoding="utf-8") as stream:
            journal = json.load(stream)
    except FileNotFoundError:
        clear(folder)
        return False
    for number, step in enumerate(journal["steps"]):
        _carry_out(folder, staging, number, step)
    _sync(folder)
    clear(folder)
    return True


def clear(folder: str) -> None:
    """Removes the staging, and ``.triage`` where nothing else is in it."""
    staging = os.path.join(folder, STAGING)
    if os.path.isdir(staging):
        journal = os.path.join(staging, _JOURNAL)
        if os.path.exists(journal):  # first, so that a crash in here is not read as work to be done
            os.unlink(journal)
        shutil.rmtree(staging, ignore_errors=True)
    parent = os.path.dirname(staging)
    if os.path.isdir(parent) and not os.listdir(parent):
        os.rmdir(parent)


def _check(folder: str, operations: Sequence[Operation], stale: str) -> None:
    faults = []
    for one in operations:
        path = os.path.join(folder, one.path)
        there = digest(path) if os.path.isfile(path) else None
        if there != one.expected:
            faults.append(f"{one.path} {'was changed' if there else 'was removed'} since")
    if faults:
        raise UsageError(f"nothing was changed: {'; '.join(faults[:5])}. {stale}")


def _stage(source: str, staged: str, target: str) -> None:
    copy_file(source, staged)
    if os.path.exists(target):
        shutil.copymode(target, staged)
    with open(staged, "rb") as stream:
        os.fsync(stream.fileno())


def _write_journal(staging: str, journal: Mapping[str, object]) -> None:
    spare = os.path.join(staging, "journal.new")
    with open(spare, "w", encoding="utf-8") as stream:
        json.dump(journal, stream)
        stream.flush()
        os.fsync(stream.fileno())
    _sync(staging)
    os.rename(spare, os.path.join(staging, _JOURNAL))
    _sync(staging)


def _carry_out(folder: str, staging: str, number: int, step: Mapping[str, object]) -> None:
    target, staged = os.path.join(folder, str(step["path"])), os.path.join(staging, str(number))
    if step["new"]:
        if os.path.exists(staged):  # else it is done already
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(staged, target)
            _sync(os.path.dirname(target))
    elif os.path.lexists(target):
        os.unlink(target)
        _drop_empty(folder, os.path.dirname(target))


def _drop_empty(folder: str, path: str) -> None:
    """Folders that a move left empty go too."""
    while path != folder and path.startswith(folder) and not os.listdir(path):
        os.rmdir(path)
        path = os.path.dirname(path)


def _sync(folder: str) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
