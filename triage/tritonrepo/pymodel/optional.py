"""Inputs that a model.py does without: it asks whether they are None."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_GET = "get_input_tensor_by_name"


def tolerated(tree: ast.Module) -> set[str]:
    """Names of inputs whose tensors are compared with None, or asked for their truth, and not refused then."""
    found: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            held = dict(_held(function))
            for name in _asked(function):
                found |= {held[name]} if name in held else set()
    return found


def _held(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """(variable, input) of each tensor that a function takes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.NamedExpr) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = _input(node.value)
            if isinstance(target, ast.Name) and name is not None:
                yield target.id, name


def _input(call: ast.Call) -> str | None:
    function = call.func
    told = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if told != _GET:
        return None
    given = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "name")]
    value = given[0] if given else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _asked(function: ast.FunctionDef) -> Iterator[str]:
    """Variables of tests whose way without the tensor raises nothing."""
    for node in ast.walk(function):
        if not isinstance(node, ast.If | ast.IfExp):
            continue
        without = node.body if isinstance(node, ast.If) else []
        for name, absent in _tests(node.test):
            if not (absent and any(isinstance(each, ast.Raise) for inner in without for each in ast.walk(inner))):
                yield name


def _tests(test: ast.expr) -> Iterator[tuple[str, bool]]:
    """(variable, whether it is asked to be missing)."""
    if isinstance(test, ast.BoolOp):
        for each in test.values:
            yield from _tests(each)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        for name, absent in _tests(test.operand):
            yield name, not absent
    elif isinstance(test, ast.Name):
        yield test.id, False
    elif isinstance(test, ast.Compare) and isinstance(test.comparators[0], ast.Constant):
        left = test.left.target if isinstance(test.left, ast.NamedExpr) else test.left
        if isinstance(left, ast.Name) and test.comparators[0].value is None:
            yield left.id, isinstance(test.ops[0], ast.Is | ast.Eq)
