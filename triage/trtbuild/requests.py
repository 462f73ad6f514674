"""Which shapes a build is asked to run: from its log, its command, stored arrays, and shapes written in its scripts."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from triage import npy
from triage.errors import UsageError
from triage.site import CannotApply, Site
from triage.trtbuild.inputs import Input
from triage.trtbuild.settings import Dims, from_x

_SHAPE = re.compile(
    r"(?<![\w.])(?:[\[(]\s*(\d{1,6}(?:\s*,\s*\d{1,6}){0,7})\s*,?\s*[\])]|(\d{1,6}(?:[xX]\d{1,6}){1,7}))(?![\w])"
)
_ASKS = re.compile(r"(?i)shape|dimension|binding|supplied|request|refused|feed|fed\b|input|batch")
_DECLARES = re.compile(
    r"(?i)optimization profile \d|profile \d+ (?:has|dimensions)|\[(?:I|V)\]|set_shape\(|min ?=|kM(?:IN|AX)"
)
_SETTERS = frozenset({"set_shape", "set_shape_input", "add", "reshape", "transpose", "permute", "view", "resize"})
_LARGEST_SCRIPT = 1 << 20
_MOST_FILES = 60


class Asked(NamedTuple):
    """A shape that an input is to take, and where that was seen. ``sure`` is True for what was really run or stored."""

    name: str
    dims: Dims
    where: str
    sure: bool


def asked(site: Site, inputs: Sequence[Input]) -> list[Asked]:
    """Every shape that this build is asked to run, the surest first."""
    dynamic = [each for each in inputs if each.dynamic]
    found = [
        *_of_log(site.log, dynamic), *_of_command(site, dynamic), *_of_verify(site, dynamic),
        *_of_arrays(site, dynamic), *_of_scripts(site, dynamic),
    ]  # fmt: skip
    first: dict[tuple[str, Dims], Asked] = {}
    for each in found:
        if all(size > 0 for size in each.dims):
            first.setdefault((each.name, each.dims), each)
    return list(first.values())


def by_name(found: Sequence[Asked], *, sure: bool = False) -> dict[str, list[Dims]]:
    """The shapes of each input; with ``sure`` those only that were really run or stored."""
    told: dict[str, list[Dims]] = {}
    for each in found:
        if each.sure or not sure:
            told.setdefault(each.name, []).append(each.dims)
    return told


def _of_log(log: str, inputs: Sequence[Input]) -> Iterator[Asked]:
    """Shapes in lines that speak of what was asked for."""
    for line in log.splitlines()[-400:]:
        if len(line) > 2000 or not _ASKS.search(line) or _DECLARES.search(line):
            continue
        for dims in _shapes_in(line):
            for each in _meant(line, dims, inputs):
                yield Asked(each.name, dims, "the log", True)


def _meant(line: str, dims: Dims, inputs: Sequence[Input]) -> list[Input]:
    fitting = [each for each in inputs if each.fits(dims)]
    named = [each for each in fitting if re.search(rf"(?<![\w.]){re.escape(each.name)}(?![\w])", line)]
    return named or (fitting if len(fitting) == 1 else [])


def _shapes_in(text: str) -> Iterator[Dims]:
    for match in _SHAPE.finditer(text):
        dims = from_x(match[1] or match[2])
        if dims:
            yield dims


def _of_command(site: Site, inputs: Sequence[Input]) -> Iterator[Asked]:
    """``--shapes=x:2x3x32x32`` and the like; words that give a whole range are profiles, not requests."""
    for word in site.command:
        if re.search(r"(?i)(?:min|max|opt)[-_]?shapes?|profile", word):
            continue
        for name, text in re.findall(r"([\w./:-]+?)['\"]?:(\[?[\d,xX]+\]?)(?![\d:xX])", word):
            dims = from_x(text)
            for each in inputs:
                if dims and each.name == name.lstrip("=").rpartition("=")[2] and each.fits(dims):
                    yield Asked(each.name, dims, "the command", True)


def _of_verify(site: Site, inputs: Sequence[Input]) -> Iterator[Asked]:
    """Shapes that the recipe names for its check."""
    told = site.verify.get("inputs")
    for name, dims in told.items() if isinstance(told, dict) else ():
        for each in inputs:
            if each.name == name and each.fits(tuple(dims)):
                yield Asked(name, tuple(dims), "the recipe", True)


def _of_arrays(site: Site, inputs: Sequence[Input]) -> Iterator[Asked]:
    """Shapes of arrays in .npz and .npy files that bear an input's name; what they hold, for shape tensors."""
    stored = [path for path in site.listing if path.endswith((".npz", ".npy"))][:_MOST_FILES]
    for path in stored:
        for key, dims, values in _arrays(site, path):
            parts = re.split(r"[/|]", key)
            for each in inputs:
                told = values if each.values else dims
                if each.name in (key, parts[-1]) and "out" not in parts[:-1] and told and each.fits(told):
                    yield Asked(each.name, told, path, True)


def _arrays(site: Site, path: str) -> Iterator[tuple[str, Dims, Dims]]:
    """(name, shape, values where they are few whole numbers) of the arrays of a file; nothing is unpickled."""
    import zipfile

    try:
        if path.endswith(".npy"):
            with open(site.path(path), "rb") as stream:
                yield path.rpartition("/")[2].removesuffix(".npy"), *_header(stream)
            return
        with zipfile.ZipFile(site.path(path)) as archive:
            for name in archive.namelist():
                with archive.open(name) as stream:
                    yield name.removesuffix(".npy"), *_header(stream)
    except (OSError, ValueError, zipfile.BadZipFile, UsageError):
        return


def _header(stream: Any) -> tuple[Dims, Dims]:
    import numpy as np

    shape, kind = npy.header(stream)
    few = kind.kind in "iu" and len(shape) <= 1 and int(np.prod(shape, dtype=np.int64)) <= 16
    values = np.frombuffer(stream.read(kind.itemsize * 16), kind)[: int(np.prod(shape, dtype=np.int64))] if few else ()
    return shape, tuple(int(value) for value in values)


def _of_scripts(site: Site, inputs: Sequence[Input]) -> Iterator[Asked]:
    """Shapes written as tuples or lists in scripts, with loop variables over written numbers put in."""
    scripts = [path for path in site.listing if path.endswith(".py")][:_MOST_FILES]
    for path in scripts:
        try:
            tree = ast.parse(site.text(path))
        except (SyntaxError, ValueError, OSError, CannotApply, RecursionError):
            continue
        for dims in _literals(tree):
            for each in inputs:
                if not each.values and each.rank > 1 and each.fits(dims):
                    yield Asked(each.name, dims, path, False)


def _literals(tree: ast.AST) -> Iterator[Dims]:
    numbers = _numbers(tree)
    told = {id(inner) for node in ast.walk(tree) if _sets(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List) and id(node) not in told and 1 < len(node.elts) <= 8:
            sizes = [_sizes(part, numbers) for part in node.elts]
            if all(sizes):
                yield from itertools.islice(itertools.product(*sizes), 32)


def _sets(node: ast.AST) -> bool:
    """A call that sets a profile or moves dimensions: its shapes are no requests."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SETTERS


def _numbers(tree: ast.AST) -> dict[str, list[int]]:
    """What names may stand for: numbers assigned to them, or that a loop gives them."""
    found: dict[str, list[int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).extend(_sizes(node.value, {}))
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).extend(_run_through(node.iter))
    return found


def _run_through(node: ast.expr) -> list[int]:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [size for part in node.elts for size in _sizes(part, {})]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        ends = [size for part in node.args for size in _sizes(part, {})]
        if len(ends) == len(node.args) and 0 < len(ends) < 4 and 0 not in ends[2:]:
            through = range(*ends)
            return [through[0], through[-1]] if through else []
    return []


def _sizes(node: ast.expr, numbers: dict[str, list[int]]) -> list[int]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return [node.value]
    return numbers.get(node.id, []) if isinstance(node, ast.Name) else []
