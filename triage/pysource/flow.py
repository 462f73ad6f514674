"""Where a value comes from: through names, parameters, attributes, dictionaries and the build's own modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import libcst as cst
from libcst import metadata

from triage.pysource.bindings import (
    bindings,
    class_values,
    elements,
    has_init,
    import_of,
    inner_values,
    keyword,
    literal,
    method_of,
    module_names,
    returned,
    subscript_key,
    value_of,
)
from triage.pysource.project import Project, dotted_text
from triage.pysource.source import Source

_DEEPEST = 24  # steps from a use to its origin
_CASTS = (
    "int", "float", "str", "bool", "max", "min", "abs", "round", "list", "tuple", "dict", "copy.copy", "copy.deepcopy",
    "deepcopy",
)  # fmt: skip
_BAGS = ("SimpleNamespace", "Namespace", "EasyDict", "DotDict", "AttrDict", "Box", "DictConfig", "create")


class Origin(NamedTuple):
    """An expression that a value comes from.

    ``keys`` are what is taken out of it and could not be followed: ``json.load(f)`` with ("export", "opset").
    """

    source: Source
    node: cst.CSTNode
    keys: tuple[str | int, ...] = ()


def is_outside(origin: Origin) -> bool:
    """Whether the value comes from outside: options, a data file. ``dict(a=1)`` is no more so than ``{"a": 1}``."""
    if not isinstance(node := origin.node, cst.Call):
        return False
    return dotted_text(node.func) != "dict" or any(arg.keyword is None for arg in node.args)


class Flow:
    """Follows values in a project's files. Nothing is run; where the text does not tell, the last expression stands."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._calls: dict[int, list[tuple[Source, cst.Call]]] | None = None
        self._looking: set[int] = set()

    def origins(self, source: Source, node: cst.CSTNode) -> list[Origin]:
        """Every expression that the value of an expression may come from; itself where it is one."""
        found: dict[tuple[int, tuple[str | int, ...]], Origin] = {}
        for origin in self._from(source, node, (), set(), 0):
            found.setdefault((id(origin.node), origin.keys), origin)
        return list(found.values())

    def definition(self, source: Source, node: cst.CSTNode) -> tuple[Source, cst.FunctionDef | cst.ClassDef] | None:
        """The function or class of the build's own files that an expression names."""
        for origin in self.origins(source, node):
            if isinstance(origin.node, cst.FunctionDef | cst.ClassDef) and not origin.keys:
                return origin.source, origin.node
        return None

    def item(self, source: Source, node: cst.CSTNode, key: str | int) -> list[Origin]:
        """What stands under a key of a dictionary, list or object; nothing where that cannot be told."""
        found: dict[int, Origin] = {}
        for origin in self._from(source, node, (key,), set(), 0):
            if not origin.keys or is_outside(origin):
                found.setdefault(id(origin.node), origin)
        return list(found.values())

    def _is_there(self, source: Source, node: cst.Call, key: str | int) -> bool:
        """Whether ``x.get(key, default)`` finds its key in a literal."""
        if id(node) in self._looking or not isinstance(node.func, cst.Attribute):
            return False
        self._looking.add(id(node))
        try:
            return bool(self.item(source, node.func.value, key))
        finally:
            self._looking.discard(id(node))

    def calls_of(self, definition: cst.FunctionDef | cst.ClassDef) -> list[tuple[Source, cst.Call]]:
        """Where the build's own files call a function, or make an object of a class."""
        if self._calls is None:
            self._calls = {}
            for source in self.project.sources():
                for call in source.find(cst.Call):
                    found = self._direct(source, call.func)
                    if found is not None:
                        self._calls.setdefault(id(found), []).append((source, call))
        return self._calls.get(id(definition), [])

    def _direct(self, source: Source, node: cst.CSTNode) -> cst.FunctionDef | cst.ClassDef | None:
        """The function or class that is called, as far as names alone tell."""
        if isinstance(node, cst.Name):
            for assignment in bindings(source, node):
                if isinstance(assignment, metadata.Assignment) and isinstance(
                    assignment.node, cst.FunctionDef | cst.ClassDef
                ):
                    return assignment.node
                if isinstance(assignment, metadata.ImportAssignment):
                    for module, level, original in import_of(assignment, node.value):
                        local = self.project.module(module, source, level)
                        found = local.top(original) if local is not None else None
                        if found is not None:
                            return found
        if isinstance(node, cst.Attribute):
            for name in module_names(source, node.value):
                local = self.project.module(name, source)
                return local.top(node.attr.value) if local is not None else None
            return self._method(source, node)
        return None

    def _method(self, source: Source, node: cst.Attribute) -> cst.FunctionDef | None:
        """The only method of that name in the build's classes; that of the own class behind ``self``."""
        if isinstance(node.value, cst.Name) and node.value.value in ("self", "cls"):
            owner = source.above(node, cst.ClassDef)
            return method_of(owner, node.attr.value) if owner is not None else None
        found = [
            method for one in self.project.sources() for owner in one.find(cst.ClassDef)
            if (method := method_of(owner, node.attr.value)) is not None
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def dotted(self, source: Source, node: cst.CSTNode) -> str | None:
        """The full name of an expression through imports and variables: ``ex`` -> ``torch.onnx.export``."""
        return next(iter(self.all_dotted(source, node)), None)

    def all_dotted(self, source: Source, node: cst.CSTNode, seen: frozenset[int] = frozenset()) -> list[str]:
        """Every full name that an expression may have."""
        if id(node) in seen:
            return []
        seen |= {id(node)}
        if isinstance(node, cst.Attribute):
            own = self._own_attribute(source, node, seen)
            return own or [f"{base}.{node.attr.value}" for base in self.all_dotted(source, node.value, seen)]
        if isinstance(node, cst.Name):
            return list(dict.fromkeys(self._names(source, node, seen)))
        if isinstance(node, cst.Call):
            names = self.all_dotted(source, node.func, seen)
            if names and names[0] in ("importlib.import_module", "__import__") and node.args:
                text = literal(node.args[0].value)
                return [text] if isinstance(text, str) else []
        return []

    def _own_attribute(self, source: Source, node: cst.Attribute, seen: frozenset[int]) -> list[str]:
        if isinstance(node.value, cst.Name) and node.value.value in ("self", "cls"):
            return [name for origin in self._of_self(source, node) for name in self.all_dotted(*origin, seen)]
        return []

    def _names(self, source: Source, node: cst.Name, seen: frozenset[int]) -> Iterator[str]:
        bound = False
        for assignment in bindings(source, node):
            bound = True
            if isinstance(assignment, metadata.ImportAssignment):
                yield from self._imported_names(source, assignment, node.value)
            elif isinstance(assignment, metadata.BuiltinAssignment):
                yield node.value
            elif isinstance(assignment, metadata.Assignment):
                for value in self._assigned(source, assignment.node):
                    if isinstance(value[1], cst.Name | cst.Attribute | cst.Call):
                        yield from self.all_dotted(*value, seen)
        if not bound:
            stars = [one for one in source.find(cst.ImportFrom) if isinstance(one.names, cst.ImportStar)]
            yield from (f"{dotted_text(one.module)}.{node.value}" for one in stars if one.module)

    def _imported_names(self, source: Source, assignment: metadata.ImportAssignment, name: str) -> Iterator[str]:
        for module, _, original in import_of(assignment, name):
            local = self.project.module(module, source, 0)
            if local is not None and original and local is not source:
                found = list(self._of_module(local, original))
                for value in found:
                    yield from self.all_dotted(*value)
                if found:
                    continue
            yield f"{module}.{original}" if original else module

    def _from(
        self, source: Source, node: cst.CSTNode, keys: tuple[str | int, ...], seen: set[Any], depth: int
    ) -> Iterator[Origin]:
        mark = (id(node), keys)
        if mark in seen or depth > _DEEPEST:
            return
        seen.add(mark)
        steps = list(self._steps(source, node, keys))
        for place, expression, rest in steps:
            yield from self._from(place, expression, rest, seen, depth + 1)
        if not steps:
            yield Origin(source, node, keys)

    def _steps(
        self, source: Source, node: cst.CSTNode, keys: tuple[str | int, ...]
    ) -> Iterator[tuple[Source, cst.CSTNode, tuple[str | int, ...]]]:
        """One step back from an expression."""
        if isinstance(node, cst.Name):
            yield from ((*value, keys) for value in self._of_name(source, node))
            if keys:
                yield from ((*value, keys[1:]) for value in self._stored_items(source, node, keys[0]))
        elif isinstance(node, cst.Attribute):
            yield from self._of_attribute(source, node, keys)
        elif isinstance(node, cst.Subscript):
            key = subscript_key(node)
            if key is not None:
                yield source, node.value, (key, *keys)
        elif isinstance(node, cst.IfExp | cst.BooleanOperation | cst.NamedExpr | cst.Await):
            yield from ((source, each, keys) for each in inner_values(node))
        elif isinstance(node, cst.Call):
            yield from self._of_call(source, node, keys)
        elif isinstance(node, cst.ClassDef) and keys:
            yield from ((*value, keys[1:]) for value in self._of_class(source, node, str(keys[0])))
        elif isinstance(node, cst.Dict | cst.List | cst.Tuple) and keys:
            yield from ((source, each, keys[1:]) for each in elements(node, keys[0]))
            if isinstance(node, cst.Dict):
                yield from (
                    (source, one.value, keys) for one in node.elements if isinstance(one, cst.StarredDictElement)
                )

    def _of_name(self, source: Source, node: cst.Name) -> Iterator[tuple[Source, cst.CSTNode]]:
        for assignment in bindings(source, node):
            if isinstance(assignment, metadata.ImportAssignment):
                for module, level, original in import_of(assignment, node.value):
                    local = self.project.module(module, source, level)
                    if local is not None and original:
                        yield from self._of_module(local, original)
            elif isinstance(assignment, metadata.Assignment):
                yield from self._assigned(source, assignment.node)

    def _of_module(self, source: Source, name: str) -> Iterator[tuple[Source, cst.CSTNode]]:
        scope = source.scope(source.module)
        for assignment in scope[name] if scope is not None and name in scope else ():
            if isinstance(assignment, metadata.ImportAssignment):
                for module, level, original in import_of(assignment, name):
                    local = self.project.module(module, source, level)
                    if local is not None and original and local is not source:
                        yield from self._of_module(local, original)
            elif isinstance(assignment, metadata.Assignment):
                yield from self._assigned(source, assignment.node)

    def _assigned(self, source: Source, target: cst.CSTNode) -> Iterator[tuple[Source, cst.CSTNode]]:
        """What a name that is bound here takes its value from."""
        if isinstance(target, cst.FunctionDef | cst.ClassDef):
            yield source, target
        elif isinstance(target, cst.Param):
            yield from self._of_parameter(source, target)
        else:
            value = value_of(source, target)
            if value is not None:
                yield source, value

    def _of_parameter(self, source: Source, param: cst.Param) -> Iterator[tuple[Source, cst.CSTNode]]:
        from triage.pysource.arguments import bound

        function = source.above(param, cst.FunctionDef, cst.Lambda)
        if isinstance(function, cst.FunctionDef):
            owner = source.above(function, cst.FunctionDef, cst.ClassDef)
            method = isinstance(owner, cst.ClassDef)
            called = owner if isinstance(owner, cst.ClassDef) and function.name.value == "__init__" else function
            for place, call in self.calls_of(called):
                value = bound(function, param, call, method=method)
                if value is not None:
                    yield place, value
        if param.default is not None:
            yield source, param.default

    def _of_attribute(
        self, source: Source, node: cst.Attribute, keys: tuple[str | int, ...]
    ) -> Iterator[tuple[Source, cst.CSTNode, tuple[str | int, ...]]]:
        name = node.attr.value
        if isinstance(node.value, cst.Name) and node.value.value in ("self", "cls"):
            yield from ((*value, keys) for value in self._of_self(source, node))
            return
        for module in self.all_dotted(source, node.value):
            local = self.project.module(module, source)
            if local is not None:
                yield from ((*value, keys) for value in self._of_module(local, name))
                return
        if isinstance(node.value, cst.Name | cst.Attribute | cst.Call | cst.Subscript):
            yield from self._of_object(source, node.value, name, keys)

    def _of_object(
        self, source: Source, value: cst.BaseExpression, name: str, keys: tuple[str | int, ...]
    ) -> Iterator[tuple[Source, cst.CSTNode, tuple[str | int, ...]]]:
        """An attribute of an object: of a class of the build, of a bag of keywords, or of parsed options."""
        stored = list(self._stored(source, value, name))
        yield from ((*each, keys) for each in stored)
        for origin in self.origins(source, value):
            inner = self._member(origin, name)
            if inner:
                yield from ((*each, keys) for each in inner)
            elif isinstance(origin.node, cst.Call) and not stored:
                yield origin.source, origin.node, (name, *keys)

    def _stored_items(self, source: Source, node: cst.Name, key: str | int) -> Iterator[tuple[Source, cst.CSTNode]]:
        """``options["opset"] = 13`` and ``options.update(opset=13)``, and the keywords that ``**options`` takes."""
        for target in source.find(cst.AssignTarget):
            place = target.target
            if (
                isinstance(place, cst.Subscript)
                and dotted_text(place.value) == node.value
                and subscript_key(place) == key
            ):
                value = value_of(source, place)
                if value is not None:
                    yield source, value
        for call in source.find(cst.Call):
            if dotted_text(call.func) == f"{node.value}.update":
                yield from ((source, arg.value) for arg in call.args if keyword(arg) == key)
                for arg in call.args:
                    if isinstance(arg.value, cst.Dict):
                        yield from ((source, value) for value in elements(arg.value, key))
        for assignment in bindings(source, node):
            param = assignment.node if isinstance(assignment, metadata.Assignment) else None
            function = source.above(param, cst.FunctionDef) if isinstance(param, cst.Param) else None
            if function is not None and function.params.star_kwarg is param:
                for place_, call in self.calls_of(function):
                    yield from ((place_, arg.value) for arg in call.args if keyword(arg) == key)

    def _stored(self, source: Source, value: cst.BaseExpression, name: str) -> Iterator[tuple[Source, cst.CSTNode]]:
        """``config.opset = 13`` on the same variable, elsewhere in the file."""
        text = dotted_text(value)
        for target in source.find(cst.AssignTarget) if text else ():
            if dotted_text(target.target) == f"{text}.{name}":
                found = value_of(source, target.target)
                if found is not None:
                    yield source, found

    def _member(self, origin: Origin, name: str) -> list[tuple[Source, cst.CSTNode]]:
        node = origin.node
        if isinstance(node, cst.ClassDef):
            return list(self._of_class(origin.source, node, name))
        if not isinstance(node, cst.Call):
            return []
        given = [arg.value for arg in node.args if arg.keyword is not None and arg.keyword.value == name]
        found = self.definition(origin.source, node.func)
        if found is not None and isinstance(found[1], cst.ClassDef):
            inner = list(self._of_class(found[0], found[1], name))
            return [*((origin.source, value) for value in given), *inner]
        if dotted_text(node.func).rpartition(".")[2] in _BAGS:
            return [(origin.source, value) for value in given]
        return []

    def _of_class(self, source: Source, node: cst.ClassDef, name: str) -> Iterator[tuple[Source, cst.CSTNode]]:
        """What an attribute of a class or of its objects is set to."""
        yield from ((source, value) for value in class_values(source, node, name))

    def _of_self(self, source: Source, node: cst.Attribute) -> Iterator[tuple[Source, cst.CSTNode]]:
        owner = source.above(node, cst.ClassDef)
        if owner is None:
            return
        found = list(self._of_class(source, owner, node.attr.value))
        for place, call in self.calls_of(owner):
            found += [
                (place, arg.value) for arg in call.args
                if arg.keyword is not None and arg.keyword.value == node.attr.value and not has_init(owner)
            ]  # fmt: skip
        for base in owner.bases if not found else ():
            above = self.definition(source, base.value)
            if above is not None and isinstance(above[1], cst.ClassDef):
                found += self._of_class(above[0], above[1], node.attr.value)
        yield from found

    def _of_call(
        self, source: Source, node: cst.Call, keys: tuple[str | int, ...]
    ) -> Iterator[tuple[Source, cst.CSTNode, tuple[str | int, ...]]]:
        name = dotted_text(node.func)
        if name in _CASTS and node.args:
            yield from ((source, arg.value, keys) for arg in node.args if arg.keyword is None)
            if name == "dict" and keys:
                yield from ((source, arg.value, keys[1:]) for arg in node.args if keyword(arg) == keys[0])
        elif name in ("dict", "vars") and keys:
            yield from ((source, arg.value, keys[1:]) for arg in node.args if keyword(arg) == keys[0])
            yield from ((source, arg.value, keys) for arg in node.args if arg.keyword is None)
        elif name == "getattr" and len(node.args) >= 2 and isinstance(key := literal(node.args[1].value), str):
            yield from self._of_object(source, node.args[0].value, key, keys)
            yield from ((source, arg.value, keys) for arg in node.args[2:3])
        elif (
            isinstance(node.func, cst.Attribute) and node.func.attr.value in ("get", "pop", "setdefault") and node.args
        ):
            key = literal(node.args[0].value)
            if isinstance(key, str | int) and not name.endswith("environ.get"):
                yield source, node.func.value, (key, *keys)
                if not self._is_there(source, node, key):
                    yield from ((source, arg.value, keys) for arg in node.args[1:2])
        elif (found := self.definition(source, node.func)) is not None and isinstance(found[1], cst.FunctionDef):
            yield from ((found[0], value, keys) for value in returned(found[0], found[1]))
