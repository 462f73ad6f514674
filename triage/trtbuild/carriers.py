"""Finds where a build's settings are written, and what model they are for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from triage.errors import UsageError
from triage.site import CannotApply
from triage.trtbuild import data_file, own_json, words
from triage.trtbuild.inputs import Input, inputs_of
from triage.trtbuild.settings import Settings

if TYPE_CHECKING:
    from triage.site import Site


class Carrier(Protocol):
    """A place that tells the builder something: ``settings`` is what it says, ``whole`` whether all could be read."""

    name: str
    kind: str

    @property
    def settings(self) -> Settings:
        """What it says."""

    @property
    def whole(self) -> bool:
        """Whether every range in it could be read."""

    def write(self, site: Site, wanted: Settings) -> None:
        """Stores what is wanted."""


def carriers(site: Site) -> list[Carrier]:
    """Every place that may be changed and speaks to TensorRT, the nearest to the command first."""
    found: list[Carrier] = []
    own = own_json.read(site)
    if own and site.may_change(own.name):
        return [own]  # our own build script reads nothing else
    found += [each for each in words.found(site) if not each.command.path or site.may_change(each.command.path)]
    found += scripts(site)
    if any(each.kind == "script" for each in found):
        found += [each for each in data_file.found(site) if each.name in _read_by_scripts(site, each.name)]
    return found


def scripts(site: Site) -> list[Any]:
    """Scripts that may be changed and build or load engines: those that run first."""
    from triage.pysource.project import Project
    from triage.trtbuild import script

    project = Project(site)
    told = list(dict.fromkeys([*(source.path for source in project.sources()), *site.scripts()]))
    found = []
    for path in told:
        source = project.source(path)
        if source is not None and site.may_change(path) and script.speaks(source.data.decode(errors="replace")):
            found.append(script.Script(source))
    return found


def by_name(site: Site, name: str, kind: str) -> Carrier:
    """The carrier of a proposal.

    Raises:
        CannotApply: it is no longer there.
    """
    for each in carriers(site):
        if (each.name, each.kind) == (name, kind):
            return each
    raise CannotApply(f"{name} says nothing to TensorRT any more")


def model_path(site: Site, settings: Settings | None = None) -> str | None:
    """The ONNX file that is built: what the settings, the command and the log name, else the only one there is."""
    there = [path for path in site.listing if path.endswith(".onnx")]
    told = [
        settings.model if settings else None,
        *(part for word in site.command for part in (word, word.rpartition("=")[2])),
    ]
    told += [each.settings.model for each in (words.found(site))] + [site.found.model]
    for name in told:
        path = _inside(site, name)
        if path and path.endswith(".onnx") and site.has(path):
            return path
    named = [path for path in there if os.path.basename(path) in site.log]
    return named[0] if named else there[0] if len(there) == 1 else None


def inputs(site: Site, path: str | None) -> list[Input]:
    """The inputs of a model of the build; empty where it cannot be read."""
    from triage.onnxgraph import files

    if path is None:
        return []
    try:
        return inputs_of(files.load(site.path(path), weights=False))
    except (OSError, ValueError, UsageError):
        return []


def _inside(site: Site, name: str | None) -> str | None:
    """A path as it is named in a build's folder."""
    if not name:
        return None
    for root in (site.workspace.origin, site.root, site.built):
        if root and name.startswith(root.rstrip("/") + "/"):
            name = name[len(root.rstrip("/")) + 1 :]
    clean = os.path.normpath(name).replace(os.sep, "/")
    if clean.startswith("..") or os.path.isabs(clean):
        ends = [path for path in site.listing if os.path.basename(path) == os.path.basename(clean)]
        return ends[0] if len(ends) == 1 else None
    return clean


def _read_by_scripts(site: Site, name: str) -> Iterator[str]:
    base = os.path.basename(name)
    texts: Sequence[str] = [site.text(path) for path in site.listing if path.endswith(".py")]
    if any(base in text for text in texts) or any(base in word for word in site.command):
        yield name
