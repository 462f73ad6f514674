"""Expressions of a model's code: their values as far as they can be told."""

from __future__ import annotations

import ast
import operator
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from triage.tritonrepo.pymodel import calls
from triage.tritonrepo.pymodel.values import (
    UNKNOWN,
    Array,
    Asked,
    Bound,
    Class,
    ConfigEntry,
    ConfigType,
    Function,
    Marked,
    Name,
    Session,
    Thing,
    Unknown,
)

if TYPE_CHECKING:
    from triage.tritonrepo.pymodel.walk import Walk

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv, ast.Mod: operator.mod,
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, many: one in many, ast.NotIn: lambda one, many: one not in many,
    ast.Is: lambda one, other: one is other, ast.IsNot: lambda one, other: one is not other,
}  # fmt: skip
_LONGEST = 4096  # characters or items of a value that is worked out
PLAIN = (str, int, float, bool, type(None))


def look(walk: Walk, node: ast.expr | None, scope: Any) -> Any:
    """The value of an expression."""
    if node is None:
        return None
    walk.step()
    kind = type(node).__name__.lower()
    found = _KINDS.get(kind)
    return found(walk, node, scope) if found else UNKNOWN


def _constant(walk: Walk, node: Any, scope: Any) -> Any:
    return node.value


def _name(walk: Walk, node: Any, scope: Any) -> Any:
    if node.id in scope:
        return scope[node.id]
    return Name(f"builtins.{node.id}")


def _sequence(walk: Walk, node: Any, scope: Any) -> Any:
    found: list[Any] = []
    for each in node.elts:
        value = look(walk, each.value if isinstance(each, ast.Starred) else each, scope)
        if isinstance(each, ast.Starred):
            found += value if isinstance(value, list | tuple) else [UNKNOWN]
        else:
            found.append(value)
    return tuple(found) if isinstance(node, ast.Tuple) else found


def _dict(walk: Walk, node: Any, scope: Any) -> Any:
    found: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        held = look(walk, value, scope)
        if key is None:
            found.update(held if isinstance(held, dict) else {})
        else:
            found[_key(look(walk, key, scope))] = held
    return found


def _key(value: Any) -> Any:
    return value if isinstance(value, PLAIN) else UNKNOWN


def _attribute(walk: Walk, node: Any, scope: Any) -> Any:
    return attribute(walk, look(walk, node.value, scope), node.attr)


def attribute(walk: Walk, value: Any, name: str) -> Any:
    """``value.name``."""
    if isinstance(value, Thing | Class):
        return _held(value, name)
    if isinstance(value, Name):
        return Name(f"{value.dotted}.{name}")
    if isinstance(value, Mapping) and name in value:
        return value[name]  # what ONNX Runtime tells of an input
    if isinstance(value, str) and name in ("parent", "name", "stem"):  # a pathlib.Path is its text here
        return {"parent": os.path.dirname, "name": os.path.basename}.get(name, calls.stem)(value)
    if isinstance(value, Array) and name in ("shape", "T", "dtype"):
        shape = list(value.dims) if value.dims is not None and name == "shape" else UNKNOWN
        return Array(value.data_type) if name == "T" else shape
    return UNKNOWN if isinstance(value, Unknown) else Bound(value, name)


def _held(value: Thing | Class, name: str) -> Any:
    if isinstance(value, Class):
        return value.held.get(name, UNKNOWN)
    if name in value.held:
        return value.held[name]
    held = value.of.held.get(name, UNKNOWN)
    return Function(held.node, held.around, value) if isinstance(held, Function) else held


def _call(walk: Walk, node: Any, scope: Any) -> Any:
    function = look(walk, node.func, scope)
    given: list[Any] = []
    for each in node.args:
        value = look(walk, each.value if isinstance(each, ast.Starred) else each, scope)
        if isinstance(each, ast.Starred):
            given += value if isinstance(value, list | tuple) else [UNKNOWN]
        else:
            given.append(value)
    named: dict[str, Any] = {}
    for keyword in node.keywords:
        value = look(walk, keyword.value, scope)
        if keyword.arg is None:
            named.update({str(key): held for key, held in value.items()} if isinstance(value, dict) else {})
        else:
            named[keyword.arg] = value
    return calls.call(walk, function, given, named)


def _subscript(walk: Walk, node: Any, scope: Any) -> Any:
    value = look(walk, node.value, scope)
    if isinstance(node.slice, ast.Slice):
        return _sliced(walk, node.slice, value, scope)
    return calls.item(walk, value, look(walk, node.slice, scope))


def _sliced(walk: Walk, node: ast.Slice, value: Any, scope: Any) -> Any:
    bounds = [look(walk, each, scope) for each in (node.lower, node.upper, node.step)]
    if isinstance(value, list | tuple | str) and all(each is None or isinstance(each, int) for each in bounds):
        try:
            return value[slice(*bounds)]
        except ValueError:
            return UNKNOWN
    return Array(value.data_type) if isinstance(value, Array) else UNKNOWN


def _binary(walk: Walk, node: Any, scope: Any) -> Any:
    left, right = look(walk, node.left, scope), look(walk, node.right, scope)
    if isinstance(node.op, ast.Div) and isinstance(left, str) and isinstance(right, str):
        return os.path.join(left, right)
    if isinstance(left, Array | Asked) or isinstance(right, Array | Asked):
        return _elementwise(left, right)
    return _worked_out(_BINARY.get(type(node.op)), left, right)


def _elementwise(left: Any, right: Any) -> Array:
    """Shapes and types stay where an array meets a plain number; otherwise only what both share."""
    arrays = [each for each in (left, right) if isinstance(each, Array)]
    if len(arrays) == 1 and isinstance(left if right is arrays[0] else right, int | float):
        return replace(arrays[0], source=None)
    if len(arrays) == 2:
        one, other = arrays
        return Array(
            one.data_type if one.data_type == other.data_type else None, one.dims if one.dims == other.dims else None
        )
    return Array()


def _worked_out(function: Callable[[Any, Any], Any] | None, left: Any, right: Any) -> Any:
    if function is None or isinstance(left, Unknown) or isinstance(right, Unknown) or _too_much(function, left, right):
        return UNKNOWN
    try:
        return function(left, right)
    except (TypeError, ValueError, ZeroDivisionError, KeyError, OverflowError):
        return UNKNOWN


def _too_much(function: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Whether a result may grow beyond what is worth working out."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, list | tuple | str) and isinstance(other, int) and other * len(one) > _LONGEST:
            return True
    if isinstance(left, int) and isinstance(right, int):
        return max(abs(left), abs(right)) > 1 << 64
    formats = isinstance(left, str) and function is operator.mod
    return formats and (not _all_plain(right) or bool(re.search(r"\d{4}", left)))


def _all_plain(value: Any) -> bool:
    return all(isinstance(each, PLAIN) for each in (value if isinstance(value, tuple) else (value,)))


def _unary(walk: Walk, node: Any, scope: Any) -> Any:
    value = look(walk, node.operand, scope)
    if isinstance(node.op, ast.Not):
        known = truth(value)
        return UNKNOWN if known is None else not known
    if isinstance(node.op, ast.USub) and isinstance(value, int | float):
        return -value
    return replace(value, source=None) if isinstance(value, Array) else UNKNOWN


def _boolean(walk: Walk, node: Any, scope: Any) -> Any:
    stops = isinstance(node.op, ast.Or)
    value: Any = UNKNOWN
    for each in node.values:
        value = look(walk, each, scope)
        known = truth(value)
        if known is None:
            return UNKNOWN
        if known == stops:
            return value
    return value


def _compare(walk: Walk, node: Any, scope: Any) -> Any:
    left = look(walk, node.left, scope)
    rights = [look(walk, each, scope) for each in node.comparators]
    arrays = [each for each in (left, *rights) if isinstance(each, Array)]
    if arrays:
        return replace(arrays[0], data_type="TYPE_BOOL", source=None)
    if len(rights) > 1 or not _told(left) or not _told(rights[0]):
        return UNKNOWN
    return _worked_out(_COMPARE.get(type(node.ops[0])), left, rights[0])


def _told(value: Any) -> bool:
    """Whether a value is known through and through."""
    if isinstance(value, list | tuple):
        return all(_told(each) for each in value)
    if isinstance(value, dict):
        return all(_told(each) for each in (*value, *value.values()))
    return isinstance(value, PLAIN)


def _choice(walk: Walk, node: Any, scope: Any) -> Any:
    known = truth(look(walk, node.test, scope))
    if known is None:
        return either(look(walk, node.body, scope), look(walk, node.orelse, scope))
    return look(walk, node.body if known else node.orelse, scope)


def either(first: Any, second: Any) -> Any:
    """A value that is one of two: known where both are the same; nothing counts as not given."""
    if first is None or second is None:
        return second if first is None else first
    return first if same(first, second) else UNKNOWN


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same, as far as they are known."""
    return first is second or (_told(first) and _told(second) and type(first) is type(second) and bool(first == second))


def truth(value: Any) -> bool | None:
    """Whether a value counts as true. None: it cannot be told."""
    if isinstance(value, PLAIN):
        return bool(value)
    if isinstance(value, list | dict | tuple) and not value:
        return False
    if isinstance(value, Session | Thing | Class | Function | Asked | ConfigEntry | ConfigType) or (
        isinstance(value, list | dict | tuple) and _told(value)
    ):
        return True
    return None


def _text(walk: Walk, node: Any, scope: Any) -> Any:
    parts = []
    for each in node.values:
        value = look(walk, each.value if isinstance(each, ast.FormattedValue) else each, scope)
        if not isinstance(value, PLAIN):
            return UNKNOWN
        parts.append(str(value))
    return "".join(parts)


def _comprehension(walk: Walk, node: Any, scope: Any) -> Any:
    found: list[Any] = []
    walk.comprehend(list(node.generators), scope, lambda inner: found.append(_element(walk, node, inner)))
    if isinstance(node, ast.DictComp):
        return {_key(key): value for key, value in found}
    return found


def _element(walk: Walk, node: Any, scope: Any) -> Any:
    if isinstance(node, ast.DictComp):
        return look(walk, node.key, scope), look(walk, node.value, scope)
    return look(walk, node.elt, scope)


def _lambda(walk: Walk, node: Any, scope: Any) -> Any:
    return Function(node, scope)


def _walrus(walk: Walk, node: Any, scope: Any) -> Any:
    value = look(walk, node.value, scope)
    scope[node.target.id] = value
    return value


def _inside(walk: Walk, node: Any, scope: Any) -> Any:
    return look(walk, node.value, scope)


_KINDS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "constant": _constant, "name": _name, "list": _sequence, "tuple": _sequence, "set": _sequence, "dict": _dict,
    "attribute": _attribute, "call": _call, "subscript": _subscript, "binop": _binary, "unaryop": _unary,
    "boolop": _boolean, "compare": _compare, "ifexp": _choice, "joinedstr": _text, "listcomp": _comprehension,
    "setcomp": _comprehension, "generatorexp": _comprehension, "dictcomp": _comprehension, "lambda": _lambda,
    "namedexpr": _walrus, "await": _inside, "yield": _inside,
}  # fmt: skip
__all__ = ["PLAIN", "Marked", "attribute", "look", "truth"]
