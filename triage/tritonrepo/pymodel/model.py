"""What a model.py has: its class, what it declares, and what it asks for and answers."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from triage.tritonrepo.interface import Interface, Tensor
from triage.tritonrepo.pymodel import optional
from triage.tritonrepo.pymodel.values import Class, Function, Marked, Thing
from triage.tritonrepo.pymodel.walk import Seen, TooLong, Walk

CLASS = "TritonPythonModel"
METHODS = ("auto_complete_config", "initialize", "execute", "finalize", "is_ready")
_LARGEST = 2 << 20


class PyModel(NamedTuple):
    """A Python model. ``declared`` is what auto_complete_config says, ``used`` what initialize and execute show.

    ``classes`` hold each class with its methods. ``fault`` says why the code cannot be parsed. ``files`` are those
    that it opens with ONNX Runtime; ``asks_config`` are outputs whose type it takes from config.pbtxt; ``bound`` are
    names that it imports or sets.
    """

    classes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    declared: Interface | None = None
    used: Interface | None = None
    fault: str = ""
    files: tuple[str, ...] = ()
    asks_config: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of the class that Triton loads; empty where there is no such class."""
        return dict(self.classes).get(CLASS, ())

    @property
    def interface(self) -> Interface | None:
        """The best that is known."""
        return self.declared or self.used


def read(path: str, model: str, version: str, folder: str) -> PyModel:
    """Reads a file.

    Args:
        path: absolute.
        model: name of the model.
        version: name of its version folder.
        folder: absolute path of the model's folder.
    """
    try:
        told = os.stat(path)
    except OSError as fault:
        return PyModel(fault=str(fault))
    return _read(path, model, version, folder, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=64)
def _read(path: str, model: str, version: str, folder: str, changed: int, size: int) -> PyModel:
    if size > _LARGEST:
        return PyModel(fault="it is too large to be read")
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError, RecursionError) as fault:
        return PyModel(fault=f"{type(fault).__name__}: {fault}")
    classes = tuple(
        (node.name, tuple(each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)))
        for node in tree.body if isinstance(node, ast.ClassDef)
    )  # fmt: skip
    place = {
        "__file__": path, "model_repository": folder, "model_version": version, "model_name": model,
        "model_instance_kind": "CPU", "model_instance_device_id": "0", "model_instance_name": f"{model}_0",
    }  # fmt: skip
    name = CLASS if CLASS in dict(classes) else next((each for each, held in classes if "execute" in held), "")
    source = f"{version}/{os.path.basename(path)}"
    declared = _declared(_walked(tree, place, name, ("auto_complete_config",)), source)
    seen = _walked(tree, place, name, ("initialize", "execute"))
    files = tuple(each for each in dict.fromkeys(seen.reached) if each)
    asked = tuple(dict.fromkeys(seen.read_config))
    used = _used(seen, source, optional.tolerated(tree))
    return PyModel(classes, declared, used, "", files, asked, tuple(_bound(tree)))


def _bound(tree: ast.Module) -> Iterator[str]:
    """Names that the file's own statements import or set."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))


def _walked(tree: ast.Module, place: dict[str, str], name: str, methods: tuple[str, ...]) -> Seen:
    walk = Walk(place)
    scope: dict[str, Any] = {"__file__": place["__file__"], "__name__": "model"}
    try:
        walk.body(tree.body, scope)
        made = scope.get(name)
        if isinstance(made, Class):
            thing = Thing(made)
            given = {"auto_complete_config": "config", "initialize": "args", "execute": "requests"}
            for method in methods:
                function = made.held.get(method)
                if isinstance(function, Function):
                    walk.run(Function(function.node, function.around, thing), [Marked(given[method])], {})
    except (TooLong, RecursionError):
        walk.seen.unclear |= {"input", "output"}
    return walk.seen


def _declared(seen: Seen, source: str) -> Interface | None:
    given, gives = seen.declared["input"], seen.declared["output"]
    if not (given or gives):
        return None
    complete = tuple(name for name in ("input", "output") if seen.declared[name] and name not in seen.unclear)
    return Interface(
        f"auto_complete_config of {source}", tuple(given), tuple(gives), complete, batch=False, most=seen.most or 0
    )


def _used(seen: Seen, source: str, tolerated: set[str]) -> Interface | None:
    given = [each._replace(optional=each.name in tolerated) for each in seen.used["input"].values()]
    gives = dict(seen.used["output"])
    for name in seen.read_config:
        if name not in seen.used["input"]:
            gives.setdefault(name, Tensor(name))
    if not (given or gives):
        return None
    complete = tuple(
        name for name, held in (("input", given), ("output", gives)) if held and name not in seen.unclear
    )  # fmt: skip
    return Interface(f"the code of {source}", tuple(given), tuple(gives.values()), complete, batch=True, exact=False)
