"""recipe.toml, a command, or parameters.json -> Recipe. Everything wrong with a recipe is said at once."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.errors import UsageError
from triage.remedy import Recipe, Verify

_BUILD = {"command": list, "files": list, "outputs": list, "timeout": (int, float), "environment": dict}
_VERIFY = {
    "command": list, "reference": str, "inputs": (str, dict), "rtol": (int, float), "atol": (int, float),
}  # fmt: skip
_LITERAL = re.compile(r"""(["'])((?:[^"'\\\n]|\\.){1,300})\1""")
_LARGEST_SCRIPT = 4 << 20


def read_recipe(path: str) -> Recipe:
    """Reads a recipe; its folder is where the command runs.

    Raises:
        UsageError: not there, not TOML, or with faults; lists all of them.
    """
    try:
        with open(path, "rb") as stream:
            data = tomllib.load(stream)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist. Name a recipe, or write: triage fix -- COMMAND") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UsageError(f"{path} cannot be read as TOML: {fault}") from None
    faults = list(_faults(data))
    folder = os.path.dirname(os.path.abspath(path))
    if not faults:
        faults = list(_missing(data, folder))
    if faults:
        raise UsageError("\n  ".join([f"{path} has {len(faults)} fault{'s' if len(faults) > 1 else ''}:", *faults]))
    return _recipe(data, folder, os.path.basename(folder) or "build")


def recipe_of(command: Sequence[str], folder: str, *, timeout: float = 600.0) -> Recipe:
    """A recipe without a file: what the command names is what fixes may change.

    Args:
        command: program and arguments.
        folder: where it runs.
        timeout: seconds for one run.

    Raises:
        UsageError: there is no command.
    """
    if not command:
        raise UsageError("name the build to repair: triage fix -- python export.py")
    name = next(
        (os.path.basename(word) for word in command[1:] if os.path.exists(os.path.join(folder, word))), command[0]
    )
    return Recipe(
        os.path.splitext(os.path.basename(name))[0] or "build", os.path.abspath(folder), tuple(command),
        tuple(named_files(command, folder)), timeout=timeout,
    )  # fmt: skip


def as_plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON holds it; ``from_plain`` reads it again."""
    body = recipe._asdict()
    body["verify"] = recipe.verify._asdict() if recipe.verify else None
    return body


def from_plain(body: Mapping[str, Any], folder: str | None = None) -> Recipe:
    """What ``as_plain`` wrote, for a build in another folder."""
    lists = {key: tuple(body.get(key, ())) for key in ("command", "files", "outputs", "protected")}
    verify = body.get("verify")
    checked = Verify(**{**verify, "command": tuple(verify["command"])}) if verify else None
    given = {**body, **lists, "verify": checked}
    recipe = Recipe(**given)
    return recipe._replace(folder=folder) if folder else recipe


def named_files(command: Sequence[str], folder: str) -> list[str]:
    """Files below the folder that a command names, and those that its Python scripts name in quotes.

    Paths are relative; folders end in ``/``.
    """
    found: dict[str, None] = {}
    for word in command:
        for path in _below(_parts(word), folder):
            found[path] = None
    for path in [path for path in found if path.endswith(".py")]:
        for named in _below(_quoted(os.path.join(folder, path)), folder):
            found[named] = None
    return list(found)


def _parts(word: str) -> Iterator[str]:
    yield word
    for piece in re.split(r"[=,:]", word):
        if piece != word:
            yield piece


def _quoted(path: str) -> Iterator[str]:
    try:
        if os.path.getsize(path) > _LARGEST_SCRIPT:
            return
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return
    for match in _LITERAL.finditer(text):
        yield match[2]


def _below(words: Iterator[str], folder: str) -> Iterator[str]:
    root = os.path.realpath(folder)
    for word in words:
        if not word or "\0" in word or len(word) > 1000:
            continue
        path = os.path.realpath(os.path.join(root, word))
        if path == root or not path.startswith(root + os.sep) or not os.path.exists(path):
            continue
        relative = os.path.relpath(path, root).replace(os.sep, "/")
        yield relative + "/" if os.path.isdir(path) else relative


def _recipe(data: Mapping[str, Any], folder: str, name: str) -> Recipe:
    build = data["build"]
    command = tuple(str(word) for word in build["command"])
    files = tuple(build["files"]) if "files" in build else tuple(named_files(command, folder))
    verify = _verify(data.get("verify"))
    return Recipe(
        name, folder, command, files, tuple(build.get("outputs", ())), float(build.get("timeout", 600)), verify,
        {str(key): str(value) for key, value in build.get("environment", {}).items()},
        protected=tuple(_protected(verify, files, folder)),
    )  # fmt: skip


def _verify(data: Mapping[str, Any] | None) -> Verify | None:
    if not data:
        return None
    inputs = data.get("inputs")
    shapes = {key: tuple(shape) for key, shape in inputs.items()} if isinstance(inputs, dict) else inputs
    return Verify(tuple(data.get("command", ())), data.get("reference"), shapes, data.get("rtol"), data.get("atol"))


def _protected(verify: Verify | None, files: Sequence[str], folder: str) -> Iterator[str]:
    """What decides whether a build is right is never changed; what it reads is not, unless it is offered."""
    if verify is None:
        return
    words = verify.command[1:]
    yield from (path for path in _below(iter(words), folder) if path.endswith((".py", ".sh")))
    yield from (path for path in named_files(words, folder) if not _offered(path, files))
    for path in (verify.reference, verify.inputs):
        if isinstance(path, str) and not path.startswith("torch:"):
            yield path


def _offered(path: str, files: Sequence[str]) -> bool:
    """Named itself among what a repair may change; a folder also by one above it."""
    return path in files or (path.endswith("/") and any(path.startswith(f"{one.rstrip('/')}/") for one in files))


def _faults(data: Mapping[str, Any]) -> Iterator[str]:
    for table in data:
        if table not in ("build", "verify"):
            yield f"[{table}] is unknown; known are [build] and [verify]"
    build = data.get("build")
    if not isinstance(build, dict) or not build.get("command"):
        yield '[build] needs the failing command: command = ["python", "export.py"]'
        return
    tables: list[tuple[str, Any, Mapping[str, Any]]] = [
        ("build", build, _BUILD),
        ("verify", data.get("verify", {}), _VERIFY),
    ]
    for name, table, known in tables:
        if not isinstance(table, dict):
            yield f"[{name}] must be a table"
            continue
        yield from _of_table(name, table, known)
    verify = data.get("verify")
    if isinstance(verify, dict) and verify and not (verify.get("command") or verify.get("reference")):
        yield "[verify] needs either a command or a reference"


def _of_table(name: str, table: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    from difflib import get_close_matches

    for key, value in table.items():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            yield f"{name}.{key} is unknown{f'; did you mean {close[0]}?' if close else ': ' + ', '.join(known)}"
        elif isinstance(value, bool) or not isinstance(value, known[key]):
            yield f"{name}.{key} must be {_kind(known[key])}, not {json.dumps(value, default=str)[:60]}"
        elif isinstance(value, list) and not all(isinstance(word, str) and word for word in value):
            yield f"{name}.{key} must be a list of words"
        elif isinstance(value, int | float) and (not 0 <= value < float("inf")):
            yield f"{name}.{key} must be a number from 0 on"


def _kind(kind: Any) -> str:
    return {list: "a list of words", str: "a text", dict: "a table"}.get(
        kind, "a number" if kind != (str, dict) else "a file name or a table of shapes"
    )


def _missing(data: Mapping[str, Any], folder: str) -> Iterator[str]:
    for path in data["build"].get("files", ()):
        if os.path.isabs(path) or ".." in path.split("/"):
            yield f"build.files: {path!r} must be a name below {folder}"
        elif not os.path.exists(os.path.join(folder, path)):
            yield f"build.files: {path} does not exist below {folder}"
    for key in ("reference", "inputs"):
        path = data.get("verify", {}).get(key)
        if isinstance(path, str) and not path.startswith("torch:") and not os.path.exists(os.path.join(folder, path)):
            yield f"verify.{key}: {path} does not exist below {folder}"
