"""What a repair changed: the copies of a build, and the files in which they differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from triage.workspace import Workspace, digest, walk

if TYPE_CHECKING:
    from triage.compare.run import Runner
    from triage.remedy import Recipe


class Places(NamedTuple):
    """Absolute folders: the user's files as they were, as they are repaired, and where the repaired build ran."""

    base: str
    fixed: str
    ran: str


class Changed(NamedTuple):
    """Relative paths that differ. ``moved``: new path -> old path with the same content."""

    modified: frozenset[str]
    added: frozenset[str]
    removed: frozenset[str]
    moved: dict[str, str]

    @property
    def all(self) -> frozenset[str]:
        """Every path, on either side."""
        return self.modified | self.added | self.removed

    @property
    def contents(self) -> list[str]:
        """Files whose content is new; what only moved or went away is left out."""
        return sorted(self.modified | {path for path in self.added if path not in self.moved})


def changed_files(base: str, fixed: str) -> Changed:
    """The files in which two copies differ."""
    old, new = set(walk(base)), set(walk(fixed))
    modified = {path for path in old & new if not _same(os.path.join(base, path), os.path.join(fixed, path))}
    added, removed = new - old, old - new
    known: dict[str, str] = {}
    for path in sorted(old):
        if added and os.path.isfile(os.path.join(base, path)):
            known.setdefault(digest(os.path.join(base, path)), path)
    moved = {
        path: known[told] for path in sorted(added)
        if os.path.isfile(os.path.join(fixed, path)) and (told := digest(os.path.join(fixed, path))) in known
    }  # fmt: skip
    return Changed(frozenset(modified), frozenset(added), frozenset(removed), moved)


def copy_of_build(folder: str, runner: Runner) -> str:
    """A further copy of a build's folder in which something may run; large files are shared."""
    place = os.path.join(runner.folder("build"), os.path.basename(folder) or "build")
    return Workspace(folder, folder).fork(place).root


def models_of(recipe: Recipe, command: Sequence[str], places: Places, changed: Changed) -> list[str]:
    """ONNX files that the build gives, absolute: its outputs, else what it wrote, else what was changed or is named.

    The recipe's reference is none of them.
    """
    reference = recipe.verify.reference if recipe.verify else None
    there = [path for path in walk(places.ran) if path.endswith(".onnx") and path != reference]
    words = " ".join(command)

    def written(path: str) -> bool:
        source = os.path.join(places.fixed, path)
        return not os.path.lexists(source) or not _same(source, os.path.join(places.ran, path))

    ways: tuple[Callable[[str], bool], ...] = (
        lambda path: path in recipe.outputs,
        written,
        lambda path: path in changed.all,
        lambda path: os.path.basename(path) in words or path in recipe.files,
    )
    for way in ways:
        found = [path for path in there if way(path)]
        if found:
            return [os.path.join(places.ran, path) for path in found]
    return []


def external_files(path: str) -> Iterator[str]:
    """Relative names of the files in which an ONNX model keeps weights."""
    from triage.onnxgraph.files import load

    try:
        model = load(path, weights=False)
    except (ValueError, OSError):
        return
    seen = set()
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value not in seen:
                seen.add(entry.value)
                yield entry.value


def _same(one: str, two: str) -> bool:
    if os.path.islink(one) or os.path.islink(two):
        return os.path.islink(one) and os.path.islink(two) and os.readlink(one) == os.readlink(two)
    if os.path.samefile(one, two):
        return True
    return os.path.getsize(one) == os.path.getsize(two) and digest(one) == digest(two)
