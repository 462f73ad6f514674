"""The folders of a repository: models, their version folders, and what lies elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

CONFIG = "config.pbtxt"
_CONFIGS = re.compile(
    r"(?i)^(?:model[_.-]?)?config(?:uration)?[\w.() -]{0,12}"
    r"\.(?:pb(?:tx|text|txt|t)?(?:\.txt)?|txt|prototxt|textproto|proto)$"
    r"|^\.?config\.pbtxt[\w.~-]*$"
)
_VERSION = re.compile(r"(?:0|[1-9]\d*)\Z")
KEEP = (".gitkeep", ".keep", ".gitignore", ".DS_Store")


class Version(NamedTuple):
    """A numbered folder with its files and folders; ``path`` is relative to the build."""

    name: str
    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether it holds nothing but placeholders."""
        return not self.folders and all(name in KEEP for name in self.files)


class Folder(NamedTuple):
    """A folder of a repository that is, or should be, a model.

    ``config`` is the path of its config.pbtxt; ``versions`` are those that Triton takes, in order; ``others`` are
    folders that it does not take for versions; ``files`` lie beside config.pbtxt.
    """

    name: str
    path: str
    config: str | None
    versions: tuple[Version, ...]
    others: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def newest(self) -> Version | None:
        """The version that Triton loads without a policy."""
        return self.versions[-1] if self.versions else None


class Repository(NamedTuple):
    """A model repository: its path, folders that stand in it, and files that lie there."""

    path: str
    folders: tuple[Folder, ...]
    files: tuple[str, ...]

    def folder(self, name: str) -> Folder | None:
        """A model's folder by its name."""
        return next((each for each in self.folders if each.name == name), None)


def read(root: str, path: str) -> Repository:
    """What a repository holds.

    Args:
        root: the build's folder, absolute.
        path: the repository's, relative to it (empty: the build's folder itself).
    """
    folders, files = entries(root, path)
    return Repository(path, tuple(read_folder(root, joined(path, name)) for name in folders), tuple(files))


def read_folder(root: str, path: str) -> Folder:
    """What a model's folder holds."""
    folders, files = entries(root, path)
    versions = sorted((name for name in folders if _VERSION.match(name)), key=int)
    return Folder(
        os.path.basename(path), path, joined(path, CONFIG) if CONFIG in files else None,
        tuple(_version(root, joined(path, name)) for name in versions),
        tuple(name for name in folders if not _VERSION.match(name)), tuple(name for name in files if name != CONFIG),
    )  # fmt: skip


def entries(root: str, path: str) -> tuple[list[str], list[str]]:
    """Folders and files in a folder, sorted."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(os.path.join(root, path)) as found:
            for entry in found:
                (folders if entry.is_dir() else files).append(entry.name)
    except OSError:
        return [], []
    return sorted(folders), sorted(files)


def joined(*parts: str) -> str:
    """A relative path with forward slashes."""
    return "/".join(part for part in parts if part)


def is_config(name: str) -> bool:
    """Whether this file is meant to be config.pbtxt."""
    return name != CONFIG and bool(_CONFIGS.match(name))


def is_version(name: str) -> bool:
    """Whether Triton takes a folder of this name for a version."""
    return bool(_VERSION.match(name))


def is_model(folder: Folder) -> bool:
    """Whether it looks like a model: a config.pbtxt or a version folder with something in it."""
    return folder.config is not None or any(not version.empty for version in folder.versions)


def below(root: str, path: str, depth: int = 6) -> Iterator[str]:
    """Folders below a path, nearest first, as relative paths."""
    level = [path]
    for _ in range(depth):
        deeper = []
        for each in level:
            for name in entries(root, each)[0]:
                found = joined(each, name)
                yield found
                deeper.append(found)
        level = deeper


def _version(root: str, path: str) -> Version:
    folders, files = entries(root, path)
    return Version(os.path.basename(path), path, tuple(files), tuple(folders))
