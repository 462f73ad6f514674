"""Statements of a model's code, walked once: every branch that may be taken, every loop over what is known."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from triage.tritonrepo.interface import Tensor
from triage.tritonrepo.pymodel.look import either, look, truth
from triage.tritonrepo.pymodel.values import UNKNOWN, Class, Function, Marked, Name, Thing

_MOST_STEPS = 60_000
_MOST_TURNS = 256
_DEEPEST = 16
_NOTHING = object()


class TooLong(Exception):
    """The code goes on for longer than it is worth."""


@dataclass
class Seen:
    """What a model was seen to declare, to ask for and to answer."""

    declared: dict[str, list[Tensor]] = field(default_factory=lambda: {"input": [], "output": []})
    used: dict[str, dict[str, Tensor]] = field(default_factory=lambda: {"input": {}, "output": {}})
    unclear: set[str] = field(default_factory=set)
    most: int | None = None
    read_config: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)


class Walk:
    """One reading of a file. ``place`` tells where it lies: file, model folder, version and model name."""

    def __init__(self, place: dict[str, str]) -> None:
        self.place = place
        self.seen = Seen()
        self._journal: list[tuple[Any, Any, Any]] = []
        self._steps = 0
        self._depth = 0

    def step(self) -> None:
        """Counts; raises TooLong at the limit."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TooLong

    def body(self, statements: Sequence[ast.stmt], scope: Any) -> tuple[str, Any] | None:
        """Walks statements; tells how they ended: return, break, continue or raise, with a value."""
        for statement in statements:
            self.step()
            found = _KINDS.get(type(statement).__name__.lower())
            ended: tuple[str, Any] | None = found(self, statement, scope) if found else None
            if ended:
                return ended
        return None

    def run(self, function: Function, given: list[Any], named: dict[str, Any]) -> Any:
        """The value of a call of a function of the file."""
        if self._depth >= _DEEPEST:
            return UNKNOWN
        node = function.node
        marks = [each.id for each in getattr(node, "decorator_list", ()) if isinstance(each, ast.Name)]
        if function.bound is not None and "staticmethod" not in marks:
            given = [function.bound, *given]
        scope = ChainMap(self._arguments(node.args, given, named, function.around), *_maps(function.around))
        self._depth += 1
        try:
            if isinstance(node, ast.Lambda):
                return look(self, node.body, scope)
            ended = self.body(node.body, scope)
        finally:
            self._depth -= 1
        return ended[1] if ended and ended[0] == "return" else None

    def _arguments(self, node: ast.arguments, given: list[Any], named: dict[str, Any], scope: Any) -> dict[str, Any]:
        names = [each.arg for each in (*node.posonlyargs, *node.args)]
        found: dict[str, Any] = dict.fromkeys((*names, *(each.arg for each in node.kwonlyargs)), UNKNOWN)
        for name, default in zip(reversed(names), reversed(node.defaults), strict=False):
            found[name] = look(self, default, scope)
        for each, value in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            if value is not None:
                found[each.arg] = look(self, value, scope)
        found.update(zip(names, given, strict=False))
        found.update({name: value for name, value in named.items() if name in found})
        if node.vararg:
            found[node.vararg.arg] = list(given[len(names) :])
        if node.kwarg:
            found[node.kwarg.arg] = {name: value for name, value in named.items() if name not in found}
        return found

    def turns(self, iterable: Any) -> list[Any]:
        """What a loop goes through; something unknown once."""
        if isinstance(iterable, list | tuple | dict | set):
            return list(iterable)[:_MOST_TURNS]
        if isinstance(iterable, str | range):
            return list(iterable)[:_MOST_TURNS]
        if isinstance(iterable, Marked) and iterable.what == "requests":
            return [Marked("request")]
        return [UNKNOWN]

    def comprehend(self, generators: list[ast.comprehension], scope: Any, take: Callable[[Any], None]) -> None:
        """Goes through the loops of a comprehension."""
        if not generators:
            take(scope)
            return
        first, *others = generators
        for value in self.turns(look(self, first.iter, scope)):
            inner = ChainMap({}, *_maps(scope))
            self.bind(first.target, value, inner)
            if all(truth(look(self, test, inner)) is not False for test in first.ifs):
                self.comprehend(others, inner, take)

    def bind(self, target: ast.expr, value: Any, scope: Any) -> None:
        """Gives a value to a name, an attribute, an item, or to several names."""
        if isinstance(target, ast.Name):
            self.write(scope, target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value, scope)
        elif isinstance(target, ast.Attribute):
            holder = look(self, target.value, scope)
            if isinstance(holder, Thing | Class):
                self.write(holder.held, target.attr, value)
        elif isinstance(target, ast.Subscript):
            holder, key = look(self, target.value, scope), look(self, target.slice, scope)
            if isinstance(holder, dict) and isinstance(key, str | int):
                self.write(holder, key, value)

    def write(self, holder: Any, key: Any, value: Any) -> None:
        """Gives a name a value, and keeps what it was for a branch that may not be taken."""
        self._journal.append((holder, key, holder.get(key, _NOTHING)))
        holder[key] = value

    def branches(self, first: Sequence[ast.stmt], second: Sequence[ast.stmt], scope: Any) -> tuple[str, Any] | None:
        """Walks both ways of a choice that cannot be told; what they make different is unknown afterwards."""
        start = len(self._journal)
        ended = self.body(first, scope)
        left = self._undone(start)
        other = self.body(second, scope)
        right = self._undone(start)
        for place in {**left, **right}:
            holder, key, was = (left.get(place) or right[place])[:3]
            values = [way[place][3] if place in way else was for way in (left, right)]
            self.write(holder, key, either(*(None if value is _NOTHING else value for value in values)))
        return (ended[0], either(ended[1], other[1])) if ended and other and ended[0] == other[0] else None

    def _undone(self, start: int) -> dict[tuple[int, Any], tuple[Any, Any, Any, Any]]:
        """Takes back what was written since: by place, (holder, key, what it was, what it became)."""
        found: dict[tuple[int, Any], tuple[Any, Any, Any, Any]] = {}
        while len(self._journal) > start:
            holder, key, was = self._journal.pop()
            place = (id(holder.maps[0] if isinstance(holder, ChainMap) else holder), key)
            became = found[place][3] if place in found else holder.get(key, _NOTHING)
            found[place] = (holder, key, was, became)
            if was is _NOTHING:
                holder.pop(key, None)
            else:
                holder[key] = was
        return found

    def _unpack(self, targets: list[ast.expr], value: Any, scope: Any) -> None:
        values = list(value) if isinstance(value, list | tuple) else []
        starred = any(isinstance(each, ast.Starred) for each in targets)
        if starred or len(values) != len(targets):
            values = [UNKNOWN] * len(targets)
        for each, held in zip(targets, values, strict=True):
            self.bind(each.value if isinstance(each, ast.Starred) else each, held, scope)


def _maps(scope: Any) -> list[Any]:
    return list(scope.maps) if isinstance(scope, ChainMap) else [scope]


def _import(walk: Walk, node: Any, scope: Any) -> None:
    for each in node.names:
        scope[each.asname or each.name.partition(".")[0]] = Name(
            each.name if each.asname else each.name.partition(".")[0]
        )


def _import_from(walk: Walk, node: Any, scope: Any) -> None:
    for each in node.names:
        scope[each.asname or each.name] = Name(f"{node.module or ''}.{each.name}")


def _function(walk: Walk, node: Any, scope: Any) -> None:
    scope[node.name] = Function(node, scope)


def _class(walk: Walk, node: Any, scope: Any) -> None:
    held: dict[str, Any] = {}
    made = Class(node.name, held)
    scope[node.name] = made
    walk.body(node.body, ChainMap(held, *_maps(scope)))
    for value in held.values():
        if isinstance(value, Function):
            value.around = scope


def _assign(walk: Walk, node: Any, scope: Any) -> None:
    value = look(walk, node.value, scope)
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if node.value is not None:
            walk.bind(target, value, scope)


def _add_to(walk: Walk, node: Any, scope: Any) -> None:
    walk.bind(node.target, look(walk, ast.BinOp(node.target, node.op, node.value), scope), scope)


def _expression(walk: Walk, node: Any, scope: Any) -> None:
    look(walk, node.value, scope)


def _if(walk: Walk, node: Any, scope: Any) -> tuple[str, Any] | None:
    known = truth(look(walk, node.test, scope))
    if known is not None:
        return walk.body(node.body if known else node.orelse, scope)
    return walk.branches(node.body, node.orelse, scope)


def _for(walk: Walk, node: Any, scope: Any) -> tuple[str, Any] | None:
    for value in walk.turns(look(walk, node.iter, scope)):
        walk.bind(node.target, value, scope)
        ended = walk.body(node.body, scope)
        if ended and ended[0] in ("return", "raise"):
            return ended
        if ended and ended[0] == "break":
            return None
    return walk.body(node.orelse, scope)


def _while(walk: Walk, node: Any, scope: Any) -> tuple[str, Any] | None:
    look(walk, node.test, scope)
    ended = walk.body(node.body, scope)
    return ended if ended and ended[0] == "return" else None


def _with(walk: Walk, node: Any, scope: Any) -> tuple[str, Any] | None:
    for each in node.items:
        value = look(walk, each.context_expr, scope)
        if each.optional_vars is not None:
            walk.bind(each.optional_vars, value, scope)
    return walk.body(node.body, scope)


def _try(walk: Walk, node: Any, scope: Any) -> tuple[str, Any] | None:
    ended = walk.body(node.body, scope) or walk.body(node.orelse, scope)
    return walk.body(node.finalbody, scope) or (None if ended and ended[0] == "raise" else ended)


def _return(walk: Walk, node: Any, scope: Any) -> tuple[str, Any]:
    return "return", look(walk, node.value, scope)


def _jump(walk: Walk, node: Any, scope: Any) -> tuple[str, Any]:
    return type(node).__name__.lower(), None


_KINDS: dict[str, Callable[[Walk, Any, Any], Any]] = {
    "import": _import, "importfrom": _import_from, "functiondef": _function, "asyncfunctiondef": _function,
    "classdef": _class, "assign": _assign, "annassign": _assign, "augassign": _add_to, "expr": _expression,
    "if": _if, "for": _for, "asyncfor": _for, "while": _while, "with": _with, "asyncwith": _with, "try": _try,
    "return": _return, "break": _jump, "continue": _jump, "raise": _jump,
}  # fmt: skip
