"""What a name is bound to in one file, and literal values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst
from libcst import metadata

from triage.pysource.project import dotted_text
from triage.pysource.source import Source


def bindings(source: Source, node: cst.Name) -> list[Any]:
    """The assignments of libcst that a name may refer to, in the order of the text."""
    scope = source.scope(node)
    if scope is None:
        return []
    try:
        found = scope[node.value]
    except (KeyError, RecursionError):
        return []
    placed = [one for one in found if not isinstance(one, metadata.BuiltinAssignment)]
    return sorted(placed, key=lambda one: source.span(one.node)[0]) or list(found)


def import_of(assignment: metadata.ImportAssignment, name: str) -> Iterator[tuple[str, int, str]]:
    """(module, dots, name in it) of an imported name; the last is empty where the module itself is meant."""
    node = assignment.node
    if isinstance(node, cst.Import):
        for alias in node.names:
            full = dotted_text(alias.name)
            if alias.asname is not None and dotted_text(alias.asname.name) == name:
                yield full, 0, ""
            elif alias.asname is None and full.split(".")[0] == name:
                yield name, 0, ""
    elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        base = dotted_text(node.module) if node.module else ""
        for alias in node.names:
            known = dotted_text(alias.asname.name) if alias.asname is not None else dotted_text(alias.name)
            if known == name:
                yield base, len(node.relative), dotted_text(alias.name)


def value_of(source: Source, target: cst.CSTNode) -> cst.BaseExpression | None:
    """The expression that an assigned name gets; None for loops and what is added to it."""
    up = source.parent(target)
    if isinstance(up, cst.AssignTarget):
        statement = source.parent(up)
        return statement.value if isinstance(statement, cst.Assign) else None
    if isinstance(up, cst.AnnAssign | cst.NamedExpr):
        return up.value if up.target is target else None
    if isinstance(up, cst.AsName):
        item = source.parent(up)
        return item.item if isinstance(item, cst.WithItem) else None
    if isinstance(up, cst.Element):
        group = source.parent(up)
        if isinstance(group, cst.Tuple | cst.List):
            values = value_of(source, group)
            at = list(group.elements).index(up)
            if isinstance(values, cst.Tuple | cst.List) and len(values.elements) == len(group.elements):
                return values.elements[at].value
    return None


def returned(source: Source, function: cst.FunctionDef) -> Iterator[cst.BaseExpression]:
    """Every expression that a function returns."""
    for statement in source.find(cst.Return):
        if statement.value is not None and source.above(statement, cst.FunctionDef, cst.Lambda) is function:
            yield statement.value


def elements(node: cst.Dict | cst.List | cst.Tuple, key: str | int) -> Iterator[cst.BaseExpression]:
    """What stands in a literal under a key or at a place."""
    if isinstance(node, cst.Dict):
        for entry in node.elements:
            if isinstance(entry, cst.DictElement) and literal(entry.key) == key:
                yield entry.value
    elif isinstance(key, int) and -len(node.elements) <= key < len(node.elements):
        yield node.elements[key].value


def subscript_key(node: cst.Subscript) -> str | int | None:
    """The literal key of ``x[key]``."""
    if len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
        found = literal(node.slice[0].slice.value)
        return found if isinstance(found, str | int) else None
    return None


def literal(node: cst.CSTNode) -> Any:
    """The value of a literal expression; None where it is none (or is None)."""
    import ast

    if not isinstance(node, cst.BaseExpression):
        return None
    try:
        return ast.literal_eval(cst.Module([]).code_for_node(node).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def keyword(arg: cst.Arg) -> str | None:
    """The name under which an argument is given."""
    return arg.keyword.value if arg.keyword is not None else None


def method_of(owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    """A method that a class itself defines."""
    for item in owner.body.body:
        if isinstance(item, cst.FunctionDef) and item.name.value == name:
            return item
    return None


def has_init(node: cst.ClassDef) -> bool:
    """Whether a class has a constructor of its own."""
    return any(isinstance(item, cst.FunctionDef) and item.name.value == "__init__" for item in node.body.body)


def inner_values(node: cst.IfExp | cst.BooleanOperation | cst.NamedExpr | cst.Await) -> tuple[cst.BaseExpression, ...]:
    """The expressions that one of these gives."""
    if isinstance(node, cst.IfExp):
        return node.body, node.orelse
    if isinstance(node, cst.BooleanOperation):
        return node.left, node.right
    return (node.value if isinstance(node, cst.NamedExpr) else node.expression,)


def module_names(source: Source, node: cst.CSTNode) -> Iterator[str]:
    """Names of the module that an expression is, by imports alone."""
    text = dotted_text(node)
    first = text.split(".")[0]
    root = node
    while isinstance(root, cst.Attribute):
        root = root.value
    for assignment in bindings(source, root) if text and isinstance(root, cst.Name) else ():
        if isinstance(assignment, metadata.ImportAssignment):
            for module, _, original in import_of(assignment, first):
                yield ".".join(filter(None, (module, original))) + text[len(first) :]


def class_values(source: Source, node: cst.ClassDef, name: str) -> Iterator[cst.CSTNode]:
    """What an attribute is set to in a class's body or through ``self``; the method of that name."""
    for target in source.find(cst.Attribute, cst.Name):
        text = dotted_text(target)
        if text not in (name, f"self.{name}") or source.above(target, cst.ClassDef) is not node:
            continue
        direct = source.above(target, cst.FunctionDef, cst.ClassDef) is node
        if text != name or direct:
            value = value_of(source, target)
            if value is not None:
                yield value
    method = method_of(node, name)
    if method is not None:
        yield method
