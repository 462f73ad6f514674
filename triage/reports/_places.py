"""Where in the user's own sources a failure points: from its lines, without the runner's work folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from triage.records import Cause


class Place(NamedTuple):
    """A file, relative to the checkout, with forward slashes; and a line."""

    path: str
    line: int


_FRAME = re.compile(r'\bFile "([^"<>\n]{1,300})", line (\d{1,7})\b')
_NAMED = re.compile(
    r"(?<![\w./\\:@-])((?:[A-Za-z]:[\\/])?[\w.+/\\@-]{1,300}\.(?:pyx?|mlir|ya?ml|pbtxt|toml|json|cmake|sh)):(\d{1,7})\b(:?)"
)
# C and C++ files in these logs are the tool's own, but where a compiler speaks
_COMPILED = re.compile(
    r"(?<![\w./\\:@-])((?:[A-Za-z]:[\\/])?[\w.+/\\@-]{1,300}\.(?:c|cc|cpp|cxx|cu|cuh|h|hpp))"
    r"(?::(\d{1,7})(?::\d{1,5})?|\((\d{1,7})\))\s?: (?:fatal |catastrophic )?error\b"
)
_WORK_FOLDERS = (
    re.compile(r"/home/runner/work/([^/]+)/\1/"),
    re.compile(r"/__w/([^/]+)/\1/"),
    re.compile(r"[A-Za-z]:/a/([^/]+)/\1/"),
    re.compile(r"/github/workspace/"),
    re.compile(r"/builds/(?:[\w-]{8,20}/\d{1,3}/)?[^/]+/[^/]+/"),
    re.compile(r"/(?:var/jenkins_home|var/lib/jenkins|home/jenkins(?:/agent)?)/workspace/[^/]+/"),
    re.compile(r"/(?:var/lib/)?buildkite(?:-agent)?/builds/[^/]+/[^/]+/[^/]+/"),
)
_NOT_OURS = re.compile(r"(?:^|/)(?:site-packages|dist-packages|node_modules|lib(?:64)?/python\d[\d.]*)(?:/|$)")


def place_of(cause: Cause) -> Place | None:
    """The place that the decisive lines name, or the frame of a traceback next to them; None where there is none."""
    return next(_places(cause), None)


def _places(cause: Cause) -> Iterator[Place]:
    for evidence in cause.evidence:
        yield from _frames(evidence.text)
        yield from _spoken(evidence.text)
    for evidence in cause.evidence:
        for line in (*reversed(evidence.before), *evidence.after, *reversed(evidence.frames)):
            yield from _frames(line)


def _frames(text: str) -> Iterator[Place]:
    for path, line in reversed(_FRAME.findall(text)):
        yield from _own(path, line, relative=True)


def _spoken(text: str) -> Iterator[Place]:
    """``model.py:12:``; a relative name needs the second colon, for loggers print ``core.py:77]``."""
    for path, line, colon in _NAMED.findall(text):
        yield from _own(path, line, relative=bool(colon))
    for path, line, bracketed in _COMPILED.findall(text):
        yield from _own(path, line or bracketed, relative=True)


def _own(path: str, line: str, *, relative: bool) -> Iterator[Place]:
    inside, stripped = without_work_folder(path)
    if int(line) and (relative or stripped) and is_relative(inside) and not _NOT_OURS.search(inside):
        yield Place(inside, int(line))


def without_work_folder(path: str) -> tuple[str, bool]:
    """The path with forward slashes below the checkout, and whether a work folder was taken off."""
    path = path.replace("\\", "/")
    for folder in _WORK_FOLDERS:
        found = folder.match(path)
        if found:
            return path[found.end() :], True
    return path.removeprefix("./"), False


def is_relative(path: str) -> bool:
    """Whether a path with forward slashes stays below the folder where it starts."""
    parts = path.split("/")
    return not any(part in ("", ".", "..", "~") for part in parts) and not re.match(r"[A-Za-z]:", path)


def log_path(source: str) -> str:
    """The name of a log as a relative path: below the checkout, else its last part."""
    name = source.partition("?")[0].partition("#")[0] if "://" in source else source
    inside, _ = without_work_folder(name)
    if not is_relative(inside):
        inside = next((part for part in reversed(inside.split("/")) if part not in ("", ".", "..", "~")), "")
    return inside.replace(":", "_") if inside not in ("", "-") else "build.log"
