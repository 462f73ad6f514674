"""Checkpoint files of a build, and where its scripts load them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from triage.modelfolder import tensors, torchfile, weights
from triage.modelfolder.damage import Broken
from triage.modelfolder.tensors import Tensor
from triage.site import Site

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.project import Project
    from triage.pysource.source import Source

ENDINGS = (".safetensors", *weights.TORCH)


def tables(site: Site) -> Iterator[tuple[str, tuple[str, ...], dict[str, Tensor]]]:
    """(path, keys that lead there, name -> tensor) of every table of weights in the build's checkpoint files."""
    for path in checkpoint_files(site):
        try:
            if path.endswith(".safetensors"):
                yield path, (), tensors.read(site.path(path))
            else:
                for place, table in torchfile.states(torchfile.read(site.path(path)).content):
                    yield path, place, table
        except (Broken, OSError):
            continue


def checkpoint_files(site: Site) -> list[str]:
    """The build's checkpoint files, those that its log or command names first."""
    found = [path for path in site.listing if path.endswith(ENDINGS) and path not in site.outputs]

    def nearness(path: str) -> tuple[bool, bool, int, str]:
        name = path.rpartition("/")[2]
        return name not in site.log, not any(name in word for word in site.command), path.count("/"), path

    return sorted(found, key=nearness)


def call_in_traceback(project: Project, *names: str) -> tuple[Source, cst.Call] | None:
    """The innermost call of a method of one of these names on a line that the log's traceback goes through."""
    import libcst as cst

    for path, line in reversed(project.frames()):
        source = project.source(path)
        if source is None:
            continue
        for call in source.find(cst.Call):
            if last_name(call.func) in names and line in source.lines(call):
                return source, call
    return None


def last_name(node: cst.BaseExpression) -> str:
    """``load_state_dict`` of ``self.model.load_state_dict``."""
    import libcst as cst

    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""
