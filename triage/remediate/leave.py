"""What a repair leaves behind: changed files, changes.diff, reproduce.sh, parameters.json, logs.

All of it can be used without triage; ``apply`` puts the changed files into the user's folder.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.errors import UsageError
from triage.recipe import as_plain, from_plain
from triage.remediate.state import State
from triage.remediate.taking_back import forget, keep, stands
from triage.remedy import Recipe, Remediation, Step
from triage.workspace import File, copy_file
from triage.workspace.apply import Operation, apply

SCHEMA = "triage.parameters/1"
FILES = "files"

_SCRIPT = """\
#!/bin/sh
# Does again what was found: {what}
# sh reproduce.sh [FOLDER] takes the build's folder as it was ({folder} where none is named), copies it,
# puts the changed files over the copy, and runs the build and its check there. Nothing of yours is changed.
# It ran with: {versions}
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=${{1:-{quoted}}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$source/." "$work/"
chmod -R u+w "$work"
cd "$work"
{changes}
{commands}
echo "reproduced: the build succeeds{checked}"
"""


def leave(
    done: Remediation, best: State | None, base: Mapping[str, File], folder: str, versions: Sequence[str]
) -> None:
    """Writes everything into an existing folder.

    Args:
        done: the repair.
        best: the state that it ended in, None where the build was never run.
        base: the user's files as they were.
        folder: where to write.
        versions: of the packages that the build used, for the reproduction script.
    """
    if best is not None:
        for path in _new_files(done):
            target = os.path.join(folder, FILES, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            copy_file(best.workspace.path(path), target)
    _write(folder, "changes.diff", "".join(_ended(change.diff) for change in done.changes))
    _write(folder, "parameters.json", json.dumps(_parameters(done, base), indent=1, ensure_ascii=False) + "\n")
    _write(folder, "reproduce.sh", _reproduce(done, versions))
    os.chmod(os.path.join(folder, "reproduce.sh"), 0o755)  # noqa: S103 -- a script to run


def apply_left(folder: str) -> tuple[Recipe, list[str]]:
    """Puts what a repair left behind into the user's folder, all or nothing.

    Returns:
        The recipe, and the paths that were changed.

    Raises:
        UsageError: it is no such folder, it holds no cure, it is applied, or the user's files were changed since.
    """
    body = read_parameters(folder)
    recipe = from_plain(body["recipe"])
    if stands(folder):
        raise UsageError(f"{folder} is applied already; triage fix --undo {shlex.quote(folder)} takes it back")
    if body["status"] != "cured":
        raise UsageError(f"{folder} holds no cure ({body['status']}: {body['why']})")
    operations = [
        Operation(
            one["path"],
            os.path.join(os.path.abspath(folder), FILES, one["path"]) if one["new"] else None,
            one["before"],
        )
        for one in body["files"]
    ]
    home = recipe.home or recipe.folder
    if not os.path.isdir(home):
        raise UsageError(f"the folder of the build, {home}, is gone")
    if recipe.home:  # the build script of a target is triage's own, and stays where it was left
        operations = [one for one in operations if one.expected is None or os.path.exists(os.path.join(home, one.path))]
    keep(folder, home, operations)
    try:
        apply(home, operations)
    except UsageError:
        forget(folder)
        raise
    return recipe._replace(folder=home), [one.path for one in operations]


def read_parameters(folder: str) -> dict[str, Any]:
    """The parameter file of a repair.

    Raises:
        UsageError: there is none, or it is of another kind.
    """
    path = folder if folder.endswith(".json") else os.path.join(folder, "parameters.json")
    try:
        with open(path, encoding="utf-8") as stream:
            body: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist. Name the folder that triage fix left behind.") from None
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}") from None
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise UsageError(f"{path} is no parameter file of triage fix ({SCHEMA})")
    return body


def steps_of(body: Mapping[str, Any]) -> list[Step]:
    """The steps that led to where a repair ended."""
    return [Step(one["fix"], one["what"], one["parameters"], one["safety"], one["keeps"]) for one in body["steps"]]


def _new_files(done: Remediation) -> Iterator[str]:
    for change in done.changes:
        if change.kind in ("added", "modified", "renamed"):
            yield change.path


def _parameters(done: Remediation, base: Mapping[str, File]) -> dict[str, Any]:
    by_number = {attempt.number: attempt.step for attempt in done.attempts}
    files = [
        {"path": path, "new": True, "before": base[path].digest if path in base else None} for path in _new_files(done)
    ]
    for change in done.changes:
        gone = change.path if change.kind == "removed" else None
        if change.kind == "renamed":
            gone = change.diff.split("\n")[0].removeprefix("rename from ")
        if gone:
            files.append({"path": gone, "new": False, "before": base[gone].digest})
    return {
        "schema": SCHEMA,
        "status": done.status,
        "why": done.why,
        "recipe": as_plain(done.recipe),
        "command": list(done.command),
        "steps": [by_number[number]._asdict() for number in done.path],
        "files": files,
    }


def _reproduce(done: Remediation, versions: Sequence[str]) -> str:
    commands = [shlex.join(done.command)]
    checked = ""
    if done.recipe.verify and done.recipe.verify.command:
        commands.append(shlex.join(done.recipe.verify.command))
        checked = " and its check passes"
    exports = [f"export {key}={shlex.quote(value)}" for key, value in done.recipe.environment.items()]
    return _SCRIPT.format(
        what="; ".join(attempt.step.what for attempt in done.attempts if attempt.number in done.path) or "nothing",
        folder=done.recipe.folder,
        quoted=shlex.quote(done.recipe.folder),
        versions=", ".join(versions) or "unknown versions",
        changes="\n".join(_copying(done)),
        commands="\n".join([*exports, *commands]),
        checked=checked,
    )


def _copying(done: Remediation) -> Iterator[str]:
    for change in done.changes:
        if change.kind == "removed":
            yield f"rm -f {shlex.quote(change.path)}"
        elif change.kind == "renamed":
            yield f"rm -f {shlex.quote(change.diff.split(chr(10))[0].removeprefix('rename from '))}"
    for path in _new_files(done):
        folder = os.path.dirname(path)
        if folder:
            yield f"mkdir -p {shlex.quote(folder)}"
        yield f'cp "$here"/{FILES}/{shlex.quote(path)} {shlex.quote(path)}'
    yield (
        "find . -mindepth 1 -depth -type d -empty -exec rmdir {} \\;"
        if any(c.kind in ("removed", "renamed") for c in done.changes)
        else ""
    )


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
