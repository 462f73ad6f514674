"""Paths that a script computes: what they are in the build's folder, and where they can be changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.changes import Changes
    from triage.pysource.flow import Flow
    from triage.pysource.places import Place
    from triage.pysource.source import Source

_PLAIN = ("str", "os.fspath", "os.path.abspath", "os.path.realpath", "os.path.expanduser", "os.path.normpath")
_JOINS = ("os.path.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath")
_SAME = ("resolve", "absolute", "as_posix", "expanduser", "format", "strip")


class Named(NamedTuple):
    """A path: its text as the build uses it, the place of its last part, and what stands before that part.

    ``head`` is the path without its last part, where the script puts the path together.
    """

    text: str
    place: Place | None = None
    before: str = ""
    head: Named | None = None


def resolve(flow: Flow, source: Source, node: cst.CSTNode, depth: int = 0) -> list[Named]:
    """Every path that an expression may mean, as far as the text of the build tells."""
    from triage.pysource import places

    found = [Named(one.value, one) for one in places.places(flow, source, node) if isinstance(one.value, str)]
    if found or depth > 6:
        return found
    for origin in flow.origins(source, node):
        found += _computed(flow, origin.source, origin.node, depth + 1) if not origin.keys else []
    return found


def _computed(flow: Flow, source: Source, node: cst.CSTNode, depth: int) -> list[Named]:
    import libcst as cst

    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide | cst.Add):
        between = "/" if isinstance(node.operator, cst.Divide) else ""
        return _joined(flow, source, [node.left, node.right], between, depth)
    if isinstance(node, cst.FormattedString):
        parts: list[cst.CSTNode] = [
            part.expression if isinstance(part, cst.FormattedStringExpression) else part for part in node.parts
        ]
        return _joined(flow, source, parts, "", depth)
    if isinstance(node, cst.Call):
        return _called(flow, source, node, depth)
    if isinstance(node, cst.Attribute) and node.attr.value == "parent":
        return [Named(os.path.dirname(one.text)) for one in resolve(flow, source, node.value, depth)]
    own = isinstance(node, cst.Name) and node.value == "__file__"
    return [Named(source.path)] if own else []


def _called(flow: Flow, source: Source, node: cst.Call, depth: int) -> list[Named]:
    import libcst as cst

    name = flow.dotted(source, node.func) or ""
    values = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
    if name in _JOINS and values:
        return _joined(flow, source, list(values), "/", depth)
    if name == "os.path.dirname" and values:
        return [Named(os.path.dirname(one.text)) for one in resolve(flow, source, values[0], depth)]
    if name in _PLAIN and values:
        return resolve(flow, source, values[0], depth)
    if isinstance(node.func, cst.Attribute):
        if node.func.attr.value == "joinpath":
            return _joined(flow, source, [node.func.value, *values], "/", depth)
        if node.func.attr.value in _SAME:
            return resolve(flow, source, node.func.value, depth)
    return []


def _joined(flow: Flow, source: Source, parts: list[cst.CSTNode], between: str, depth: int) -> list[Named]:
    import libcst as cst

    texts: list[Named] = []
    for part in parts:
        if isinstance(part, cst.FormattedStringText):
            texts.append(Named(part.value))
            continue
        found = resolve(flow, source, part, depth)
        if not found:
            return []
        texts.append(found[0])
    return [_whole(texts, between)]


def _whole(texts: list[Named], between: str) -> Named:
    if len(texts) == 1:
        return texts[0]
    before = between.join(one.text for one in texts[:-1])
    before += between if before and between else ""
    last = texts[-1]
    if between and (os.path.isabs(last.text) or not before.strip("/")):
        before = ""
    head = _whole(texts[:-1], between) if before else None
    return Named(before + last.text, last.place, before + last.before, head)


def set_path(changes: Changes, named: Named, path: str) -> bool:
    """Makes an expression mean another path; False where its last part stands nowhere by itself."""
    if named.place is None:
        return False
    if named.before:
        if not path.startswith(named.before):
            folder = named.before.rstrip("/")
            if not named.before.endswith("/"):
                return False
            path = os.path.relpath(path, folder or ".")
        else:
            path = path.removeprefix(named.before)
    changes.set(named.place, path)
    return True


def inside(path: str, origin: str) -> str | None:
    """A path of a script or command as the build's folder has it; None where it leads elsewhere."""
    if os.path.isabs(path):
        if not path.startswith(origin.rstrip("/") + "/"):
            return None
        path = path[len(origin.rstrip("/")) + 1 :]
    clean = os.path.normpath(path).replace(os.sep, "/")
    return None if clean.startswith("..") else clean


def texts(named: list[Named]) -> Iterator[str]:
    """The texts of paths."""
    yield from (one.text for one in named)


def join(folder: str, name: str) -> str:
    """A file of a folder of the build, whose own folder is written as a dot."""
    return name if folder in ("", ".") else f"{folder}/{name}"
