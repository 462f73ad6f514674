"""What a fix sees of a build and how it changes it: files, command, log, and what the diagnosis found."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from triage.errors import UsageError
from triage.workspace import Workspace, walk

LONGEST_LOG = 2 << 20  # characters of a log that fixes get, from both ends
_LARGEST_TEXT = 16 << 20


class CannotApply(Exception):
    """A fix saw while applying that it must not: the attempt becomes *not-run* with this reason."""


class Found(NamedTuple):
    """What the diagnosis says of the failure at hand. ``causes`` are its ids, the best first."""

    causes: tuple[str, ...] = ()
    captures: Mapping[str, str] = {}
    evidence: tuple[str, ...] = ()
    why: str = ""
    tool: str = "other"
    tool_version: str | None = None
    stage: str | None = None
    model: str | None = None
    precision: str | None = None
    facts: Mapping[str, Any] = {}


class Site:
    """A build on which a fix works. Paths are relative to the build's folder, with forward slashes.

    Changing a file that the recipe does not offer for change raises CannotApply; new files are free.
    ``built`` is the absolute folder in which the failing run took place, with what it wrote: to look at only.
    """

    def __init__(
        self,
        workspace: Workspace,
        command: Sequence[str],
        files: Sequence[str],
        *,
        log: str = "",
        found: Found | None = None,
        protected: Sequence[str] = (),
        outputs: Sequence[str] = (),
        verify: Mapping[str, Any] | None = None,
        target: str | None = None,
        built: str | None = None,
    ) -> None:
        self.workspace = workspace
        self.command = tuple(command)
        self.files = tuple(files)
        self.log = log
        self.found = found or Found()
        self.protected = tuple(protected)
        self.outputs = tuple(outputs)
        self.verify = dict(verify or {})
        self.target = target
        self.built = built

    @property
    def root(self) -> str:
        """The absolute folder of the copy."""
        return self.workspace.root

    def path(self, relative: str) -> str:
        """Absolute path for reading."""
        return self.workspace.path(relative)

    def has(self, relative: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.exists(self.path(relative))

    def may_change(self, relative: str) -> bool:
        """Whether a fix may write here: what the recipe offers, and what is not there yet."""
        clean = os.path.normpath(relative).replace(os.sep, "/")
        if any(_covers(name, clean) for name in self.protected):
            return False
        return any(_covers(name, clean) for name in self.files) or not os.path.lexists(self.path(clean))

    def text(self, relative: str) -> str:
        """A text file's content (UTF-8, undecodable bytes survive a round trip)."""
        path = self.path(relative)
        if os.path.getsize(path) > _LARGEST_TEXT:
            raise CannotApply(f"{relative} is larger than {_LARGEST_TEXT >> 20} MiB: no text that a fix would edit")
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()

    def write_text(self, relative: str, text: str) -> None:
        """Replaces or creates a text file."""
        with open(self.writable(relative), "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(text)

    def writable(self, relative: str) -> str:
        """Absolute path for writing; its folder is made.

        Raises:
            CannotApply: no fix may change it.
        """
        if not self.may_change(relative):
            raise CannotApply(
                f"{relative} is not among the files that a fix may change ({', '.join(self.files) or 'none'})"
            )
        path = self.workspace.path(relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def move(self, source: str, target: str) -> None:
        """Renames a file or folder."""
        for each in (source, target):
            if not self.may_change(each):
                raise CannotApply(f"{each} is not among the files that a fix may change")
        os.makedirs(os.path.dirname(self.path(target)), exist_ok=True)
        os.rename(self.path(source), self.path(target))

    def copy(self, source: str, target: str) -> None:
        """Copies a file or folder to a new place."""
        if os.path.isdir(self.path(source)):
            shutil.copytree(self.path(source), self.writable(target))
        else:
            shutil.copy2(self.path(source), self.writable(target))

    def remove(self, relative: str) -> None:
        """Deletes a file."""
        os.unlink(self.writable(relative))

    def set_command(self, command: Sequence[str]) -> None:
        """Changes the command that is run."""
        self.command = tuple(command)

    @cached_property
    def listing(self) -> tuple[str, ...]:
        """Every file of the build's folder, as it was when first asked."""
        return tuple(walk(self.root))

    def named(self, *endings: str) -> list[str]:
        """Files with one of the endings, the nearest first: named by the log, by the command, offered, others.

        Only what a fix may change is listed; outputs of the build are left out.
        """
        kept = [path for path in self.listing if path.endswith(endings) and self.may_change(path)]
        return sorted((path for path in kept if path not in self.outputs), key=self._nearness)

    def models(self) -> list[str]:
        """ONNX files that may be changed, the likeliest first."""
        return self.named(".onnx")

    def scripts(self) -> list[str]:
        """Python files that may be changed, the likeliest first."""
        return self.named(".py")

    def commands(self) -> Iterator[str]:
        """Words of the command as one line, for showing."""
        yield shlex.join(self.command)

    def _nearness(self, path: str) -> tuple[bool, bool, bool, int, str]:
        name = path.rpartition("/")[2]
        told = self.found.model or ""
        return (
            not (told and told.rpartition("/")[2] == name) and name not in self.log,
            not any(name in word for word in self.command),
            path not in self.files,
            path.count("/"),
            path,
        )


def _covers(name: str, path: str) -> bool:
    clean = os.path.normpath(name).replace(os.sep, "/")
    return clean in (path, ".") or path.startswith(clean + "/")


def site_from(body: Mapping[str, Any]) -> Site:
    """The site that a request of the sandbox describes."""
    found = body["found"]
    listed = {key: tuple(found[key]) for key in ("causes", "evidence")}
    return Site(
        Workspace(body["root"], body["origin"]), body["command"], body["files"], log=body["log"],
        found=Found(**{**found, **listed}), protected=body["protected"], outputs=body["outputs"],
        verify=body["verify"], target=body["target"], built=body["built"],
    )  # fmt: skip


def check_inside(site: Site, relative: str) -> bool:
    """Whether a path that some file names stays in the build's folder."""
    try:
        site.path(relative)
    except UsageError:
        return False
    return True
