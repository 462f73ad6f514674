"""The Python files of a build: its scripts, and what they import from the build's own folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from triage import commandline
from triage.pysource.source import Source, apply_edits, parse

if TYPE_CHECKING:
    from triage.site import Site

_FRAME = re.compile(r'^\s*File "([^"\n]{1,1000})", line (\d+)', re.MULTILINE)
_LARGEST = 2 << 20  # bytes of a script that is looked at
_MOST = 60  # files that are parsed


class Project:
    """Sources by their path in the build, each parsed once; ``write`` stores all edits.

    Paths are relative to the build's folder, with forward slashes.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._sources: dict[str, Source | None] = {}

    def source(self, path: str) -> Source | None:
        """The source of a file; None where it is no Python file that can be read."""
        path = os.path.normpath(path).replace(os.sep, "/")
        if path not in self._sources:
            self._sources[path] = self._read(path) if len(self._sources) < _MOST else None
        return self._sources[path]

    def sources(self) -> list[Source]:
        """The command's scripts first, then those the log names, then what they import, then offered ones."""
        wanted = [*self._entries(), *self._named()]
        found: dict[str, Source] = {}
        while wanted:
            path = wanted.pop(0)
            source = self.source(path)
            if source is not None and source.path not in found:
                found[source.path] = source
                wanted += [one.path for one in self._imports(source)]
        for path in self.site.files:
            if path.endswith(".py") and (source := self.source(path)):
                found.setdefault(source.path, source)
        return list(found.values())

    def module(self, name: str, importer: Source, level: int = 0) -> Source | None:
        """The source of a module that another one imports; None for installed ones."""
        inside = name.replace(".", "/")
        for base in self._bases(importer, level):
            for path in (f"{base}/{inside}.py", f"{base}/{inside}/__init__.py"):
                source = self.source(path.lstrip("/"))
                if source is not None:
                    return source
        return None

    def frames(self) -> list[tuple[str, int]]:
        """(path, line) of the log's traceback lines that lie in the build's files, in the order of the log."""
        found = []
        for match in _FRAME.finditer(self.site.log):
            path = self._own(match[1])
            if path:
                found.append((path, int(match[2])))
        return found

    def in_traceback(self, source: Source, node: cst.CSTNode) -> bool:
        """Whether the log's traceback passes through this node."""
        lines = source.lines(node)
        return any(path == source.path and line in lines for path, line in self.frames())

    def may_change(self, source: Source) -> bool:
        """Whether a fix may write this file."""
        return self.site.may_change(source.path)

    def changed(self) -> dict[str, str]:
        """New texts of the files with edits, by path; raises CannotApply where an edit cannot be made."""
        return {
            path: apply_edits(source.data.decode(), source.edits, path)
            for path, source in self._sources.items()
            if source is not None and source.edits
        }

    def forget(self) -> None:
        """Drops all edits that were not written."""
        for source in self._sources.values():
            if source is not None:
                source.edits.clear()
                source.leaving.clear()
                source.aliases.clear()

    def _read(self, path: str) -> Source | None:
        try:
            full = self.site.path(path)
            if not os.path.isfile(full) or os.path.getsize(full) > _LARGEST:
                return None
            return parse(self.site.text(path), path)
        except (OSError, ValueError):
            return None

    def _entries(self) -> Iterator[str]:
        for command in commandline.commands(self.site):
            script = command.script
            if script is None:
                continue
            if command.is_module:
                inside = script.replace(".", "/")
                yield from (f"{inside}.py", f"{inside}/__main__.py")
            else:
                yield self._own(script) or script

    def _named(self) -> Iterator[str]:
        yield from reversed(dict.fromkeys(path for path, _ in self.frames()))

    def _own(self, path: str) -> str | None:
        """The relative path of a file of the build that a log or command names."""
        for root in (self.site.workspace.origin, self.site.root, self.site.built):
            if root and path.startswith(root.rstrip(os.sep) + os.sep):
                return path[len(root.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
        if not os.path.isabs(path):
            clean = os.path.normpath(path).replace(os.sep, "/")
            return clean if not clean.startswith("..") and self.site.has(clean) else None
        if "site-packages" in path or "dist-packages" in path:
            return None
        ends = [one for one in self.site.listing if path.replace(os.sep, "/").endswith("/" + one)]
        return max(ends, key=len, default=None)

    def _bases(self, importer: Source, level: int) -> list[str]:
        here = os.path.dirname(importer.path)
        if level:
            for _ in range(level - 1):
                here = os.path.dirname(here)
            return [here]
        entries = [os.path.dirname(path) for path in self._entries()]
        return list(dict.fromkeys([*entries, "", here, "src"]))

    def _imports(self, source: Source) -> Iterator[Source]:
        for node in source.find(cst.Import, cst.ImportFrom):
            for name, level in imported(node):
                found = self.module(name, source, level)
                if found is not None:
                    yield found


def imported(node: cst.Import | cst.ImportFrom) -> Iterator[tuple[str, int]]:
    """(module, dots before it) of everything that an import statement may load."""
    if isinstance(node, cst.Import):
        for alias in node.names:
            yield dotted_text(alias.name), 0
        return
    base = dotted_text(node.module) if node.module else ""
    level = len(node.relative)
    if base:
        yield base, level
    if not isinstance(node.names, cst.ImportStar):
        for alias in node.names:
            yield ".".join(filter(None, (base, dotted_text(alias.name)))), level


def dotted_text(node: cst.CSTNode) -> str:
    """``a.b.c`` of a name or attribute as it is written; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted_text(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    return ""
