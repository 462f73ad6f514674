"""What expressions of a script stand for where that can be told without running it, and which literal says so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import libcst as cst

from triage.pysource.source import Source

Bound = Mapping[str, cst.BaseExpression]
_DEEPEST = 12
_MOST = 64  # turns of a loop that are followed
_MAKERS = frozenset(
    {"tuple", "list", "Dims", "Dims2", "Dims3", "Dims4", "array", "asarray", "int", "str", "Path", "dict"}
)


class Unknown(Exception):
    """The value of an expression cannot be told."""


class Values:
    """Looks expressions of one file up: names with one assignment, items of literals, loops over literals."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._assigned: dict[str, list[cst.BaseExpression]] = {}
        self._functions: dict[str, list[cst.FunctionDef]] = {}
        for node in (
            *source.find(cst.Assign, cst.AnnAssign, cst.AugAssign),
            *source.find(cst.NamedExpr, cst.FunctionDef),
        ):
            self._learn(node)

    def settle(self, node: cst.BaseExpression, bound: Bound | None = None, depth: int = 0) -> cst.BaseExpression:
        """The literal (or the expression that cannot be followed further) that a name or item stands for."""
        bound = bound or {}
        if depth > _DEEPEST:
            return node
        following: cst.BaseExpression | None = None
        if isinstance(node, cst.Name):
            following = bound.get(node.value)
            if following is None:
                known = self._assigned.get(node.value, [])
                following = known[0] if len(known) == 1 else None
        elif isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
            known = self._assigned.get(f".{node.attr.value}", [])
            following = known[0] if len(known) == 1 else None
        elif isinstance(node, cst.Subscript):
            following = self._item(node, bound, depth)
        return node if following is None or following is node else self.settle(following, bound, depth + 1)

    def value(self, node: cst.BaseExpression, bound: Bound | None = None, depth: int = 0) -> Any:
        """The value of an expression.

        Raises:
            Unknown: it depends on what only a run can tell.
        """
        node = self.settle(node, bound, depth)
        if depth > _DEEPEST:
            raise Unknown
        handler = _KINDS.get(type(node).__name__)
        if handler is None:
            raise Unknown
        return handler(self, node, bound or {}, depth + 1)

    def known(self, node: cst.BaseExpression, bound: Bound | None = None) -> Any:
        """The value of an expression; None where it cannot be told."""
        try:
            return self.value(node, bound)
        except Unknown:
            return None

    def turns(
        self, node: cst.CSTNode, outer: Bound | None = None, depth: int = 0
    ) -> list[dict[str, cst.BaseExpression]]:
        """What loop variables and parameters around a node stand for, once for each time that it is reached."""
        ways: list[dict[str, cst.BaseExpression]] = [dict(outer or {})]
        for around in reversed(list(self._around(node))):
            fresh = []
            for way in ways:
                if isinstance(around, cst.For):
                    fresh += [{**way, **turn} for turn in self._loop(around, way)] or [way]
                else:
                    fresh += [{**way, **call} for call in self._calls(around, depth)] or [way]
            ways = fresh[:_MOST]
        return ways

    def _around(self, node: cst.CSTNode) -> Iterator[cst.For | cst.FunctionDef]:
        up = self.source.parent(node)
        while up is not None:
            if isinstance(up, cst.For | cst.FunctionDef):
                yield up
            up = self.source.parent(up)

    def _learn(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.FunctionDef):
            self._functions.setdefault(node.name.value, []).append(node)
            return
        targets = [each.target for each in node.targets] if isinstance(node, cst.Assign) else [node.target]  # type: ignore[attr-defined]
        value = None if isinstance(node, cst.AugAssign) else node.value  # type: ignore[attr-defined]
        for target in targets:
            if isinstance(target, cst.Name):
                known = self._assigned.setdefault(target.value, [])
                known += [value] if value is not None else [target, target]
                if self.source.above(target, cst.ClassDef) is not None and value is not None:
                    self._assigned.setdefault(f".{target.value}", []).append(value)
            elif isinstance(target, cst.Attribute) and value is not None:
                self._assigned.setdefault(f".{target.attr.value}", []).append(value)
            elif isinstance(target, cst.Tuple) and isinstance(value, cst.Tuple):
                self._unpack(target, value)

    def _unpack(self, target: cst.Tuple, value: cst.Tuple) -> None:
        if len(target.elements) == len(value.elements):
            for left, right in zip(target.elements, value.elements, strict=True):
                if isinstance(left.value, cst.Name):
                    self._assigned.setdefault(left.value.value, []).append(right.value)

    def _item(self, node: cst.Subscript, bound: Bound, depth: int) -> cst.BaseExpression | None:
        if len(node.slice) != 1 or not isinstance(node.slice[0].slice, cst.Index):
            return None
        base = self.settle(node.value, bound, depth + 1)
        try:
            key = self.value(node.slice[0].slice.value, bound, depth + 1)
        except Unknown:
            return None
        if isinstance(base, cst.Dict):
            for element in base.elements:
                if isinstance(element, cst.DictElement) and self.known(element.key, bound) == key:
                    return element.value
        if (
            isinstance(base, cst.Tuple | cst.List)
            and isinstance(key, int)
            and -len(base.elements) <= key < len(base.elements)
        ):
            return base.elements[key].value
        return None

    def _loop(self, loop: cst.For, way: Bound) -> list[dict[str, cst.BaseExpression]]:
        rows = self._rows(loop.iter, way)
        return [bind for row in rows[:_MOST] if (bind := self._bind(loop.target, row, way)) is not None]

    def _rows(self, node: cst.BaseExpression, way: Bound) -> list[Any]:
        """What a loop runs over: expressions, or lists of them (of ``items``, ``zip`` and ``enumerate``)."""
        settled = node if isinstance(node, cst.Call) else self.settle(node, way)
        if isinstance(settled, cst.Call):
            return self._called_rows(settled, way)
        if isinstance(settled, cst.Dict):
            return self._entries(settled, "keys")
        return [each.value for each in settled.elements] if isinstance(settled, cst.Tuple | cst.List | cst.Set) else []

    def _called_rows(self, node: cst.Call, way: Bound) -> list[Any]:
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else getattr(node.func, "value", "")
        if name in ("items", "values", "keys") and isinstance(node.func, cst.Attribute):
            base = self.settle(node.func.value, way)
            return self._entries(base, name) if isinstance(base, cst.Dict) else []
        if name == "zip":
            return [list(row) for row in zip(*(self._rows(each.value, way) for each in node.args), strict=False)]
        if name == "enumerate" and node.args:
            return [[cst.Integer(str(at)), row] for at, row in enumerate(self._rows(node.args[0].value, way))]
        return []

    def _entries(self, base: cst.Dict, name: str) -> list[Any]:
        pairs = [(each.key, each.value) for each in base.elements if isinstance(each, cst.DictElement)]
        return [list(pair) if name == "items" else pair[name == "values"] for pair in pairs]

    def _bind(self, target: cst.BaseExpression, row: Any, way: Bound) -> dict[str, cst.BaseExpression] | None:
        if isinstance(target, cst.Name):
            return {target.value: row} if isinstance(row, cst.BaseExpression) else None
        if not isinstance(target, cst.Tuple | cst.List):
            return None
        if isinstance(row, cst.BaseExpression):
            settled = self.settle(row, way)
            row = [each.value for each in settled.elements] if isinstance(settled, cst.Tuple | cst.List) else []
        if len(row) != len(target.elements):
            return None
        found: dict[str, cst.BaseExpression] = {}
        for left, right in zip(target.elements, row, strict=True):
            inner = self._bind(left.value, right, way)
            if inner is None:
                return None
            found.update(inner)
        return found

    def _calls(self, function: cst.FunctionDef, depth: int) -> list[dict[str, cst.BaseExpression]]:
        """What each call of a function in this file gives its parameters."""
        names = [each.name.value for each in (*function.params.posonly_params, *function.params.params)]
        defaults = {
            each.name.value: each.default
            for each in (*function.params.params, *function.params.kwonly_params) if each.default is not None
        }  # fmt: skip
        found: list[dict[str, cst.BaseExpression]] = []
        if depth > 2 or len(self._functions.get(function.name.value, ())) != 1:
            return [defaults]
        for call in self.source.find(cst.Call):
            if isinstance(call.func, cst.Name) and call.func.value == function.name.value:
                for way in self.turns(call, depth=depth + 1):
                    found.append({**defaults, **self._given(call, names, way)})
        return found or [defaults]

    def _given(self, call: cst.Call, names: Sequence[str], way: Bound) -> dict[str, cst.BaseExpression]:
        places = itertools.count()
        given: dict[str, cst.BaseExpression] = {}
        for argument in call.args:
            if argument.star:
                continue
            if argument.keyword:
                given[argument.keyword.value] = self.settle(argument.value, way)
            else:
                at = next(places)
                if at < len(names):
                    given[names[at]] = self.settle(argument.value, way)
        return given


def _number(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    return node.evaluated_value


def _text(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    told = node.evaluated_value
    if told is None:
        raise Unknown
    return told


def _formatted(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    parts = []
    for part in node.parts:
        if isinstance(part, cst.FormattedStringText):
            parts.append(part.value)
        elif part.format_spec or part.conversion:
            raise Unknown
        else:
            parts.append(str(values.value(part.expression, bound, depth)))
    return "".join(parts)


def _sequence(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    found: list[Any] = []
    for element in node.elements:
        told = values.value(element.value, bound, depth)
        found += list(told) if isinstance(element, cst.StarredElement) else [told]
    return tuple(found) if isinstance(node, cst.Tuple) else found


def _table(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    if not all(isinstance(each, cst.DictElement) for each in node.elements):
        raise Unknown
    return {values.value(e.key, bound, depth): values.value(e.value, bound, depth) for e in node.elements}


def _negative(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    told = values.value(node.expression, bound, depth)
    if not isinstance(node.operator, cst.Minus) or not isinstance(told, int | float):
        raise Unknown
    return -told


def _binary(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    left, right = values.value(node.left, bound, depth), values.value(node.right, bound, depth)
    name = type(node.operator).__name__
    large = isinstance(right, int) and name in ("LeftShift", "Power", "Multiply") and abs(right) > 1 << 50
    operate = _OPERATORS.get(name)
    if operate is None or large or (name in ("LeftShift", "Power") and not -1 < right < 64):
        raise Unknown
    try:
        return operate(left, right)
    except (TypeError, ValueError, ZeroDivisionError):
        raise Unknown from None


def _made(values: Values, node: Any, bound: Bound, depth: int) -> Any:
    name = node.func.attr.value if isinstance(node.func, cst.Attribute) else getattr(node.func, "value", "")
    if name == "join" and isinstance(node.func, cst.Attribute) and "path" in values.source.code(node.func):
        return "/".join(str(values.value(each.value, bound, depth)) for each in node.args)
    if name not in _MAKERS or not node.args or any(each.keyword or each.star for each in node.args):
        raise Unknown
    told = [values.value(each.value, bound, depth) for each in node.args]
    if name in ("int", "str", "Path"):
        return told[0]
    first = told[0] if len(told) == 1 or isinstance(told[0], list | tuple) else told
    if not isinstance(first, list | tuple):
        raise Unknown
    return tuple(first)


_KINDS = {
    "Integer": _number, "Float": _number, "SimpleString": _text, "ConcatenatedString": _text,
    "FormattedString": _formatted, "Tuple": _sequence, "List": _sequence, "Dict": _table,
    "UnaryOperation": _negative, "BinaryOperation": _binary, "Call": _made,
}  # fmt: skip
_OPERATORS: dict[str, Any] = {
    "Add": lambda a, b: a + b, "Subtract": lambda a, b: a - b, "Multiply": lambda a, b: a * b,
    "FloorDivide": lambda a, b: a // b, "LeftShift": lambda a, b: a << b, "Power": lambda a, b: a**b,
    "BitOr": lambda a, b: a | b, "Divide": lambda a, b: f"{a}/{b}" if isinstance(a, str) else int(a / b),
}  # fmt: skip
