"""What differs between two copies of a build, as unified diffs; binary files in words."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping, Sequence

from triage.remedy import Change
from triage.workspace import File, Workspace

_LARGEST_TEXT = 4 << 20


def changes(
    base: Workspace,
    now: Workspace,
    command: tuple[Sequence[str], Sequence[str]],
    files: tuple[Mapping[str, File], Mapping[str, File]],
) -> tuple[Change, ...]:
    """Every difference, sorted by path; a changed command comes first.

    Args:
        base: the copy of the user's files as they are.
        now: the copy with changes.
        command: (as the user ran it, as it is now).
        files: of both copies.
    """
    before, after = files
    found: list[Change] = []
    if tuple(command[0]) != tuple(command[1]):
        old, new = shlex.join(command[0]), shlex.join(command[1])
        found.append(Change("command", "command", f"--- command\n+++ command\n@@\n-{old}\n+{new}\n"))
    gone = {path for path in before if path not in after}
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            moved = next((old for old in sorted(gone) if before[old].digest == after[path].digest), None)
            if moved:
                gone.discard(moved)
                found = [change for change in found if not (change.kind == "removed" and change.path == moved)]
                found.append(Change(path, "renamed", f"rename from {moved}\nrename to {path}\n"))
            else:
                found.append(Change(path, "added", _diff(None, now.path(path), path)))
        elif path not in after:
            if path in gone:
                found.append(Change(path, "removed", _diff(base.path(path), None, path)))
        elif before[path].digest != after[path].digest:
            found.append(Change(path, "modified", _diff(base.path(path), now.path(path), path)))
    return tuple(found)


def _diff(old: str | None, new: str | None, path: str) -> str:
    before, after = _text(old), _text(new)
    if before is None or after is None:
        return _binary(old, new, path)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True),
        f"a/{path}" if old else "/dev/null", f"b/{path}" if new else "/dev/null",
    )  # fmt: skip
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _text(path: str | None) -> str | None:
    """The text of a file, empty where there is none; None where it is no text."""
    if path is None:
        return ""
    if os.path.islink(path) or os.path.getsize(path) > _LARGEST_TEXT:
        return None
    with open(path, "rb") as stream:
        data = stream.read()
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def _binary(old: str | None, new: str | None, path: str) -> str:
    from triage.onnxgraph import describe

    if path.endswith(".onnx"):
        told = describe.difference(old, new)
        if told:
            return f"--- a/{path}\n+++ b/{path}\n{told}"
    sizes = [f"{os.lstat(each).st_size:,} bytes" if each else "nothing" for each in (old, new)]
    return f"Binary file {path}: {sizes[0]} -> {sizes[1]}\n"
