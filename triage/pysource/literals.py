"""Where a Python text uses a name as a string in requests to a server, and the text with another name there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

INPUT, OUTPUT, MODEL = "input", "output", "model"
_CALLS = {
    INPUT: ("InferInput", "Tensor", "from_dlpack"),
    OUTPUT: ("InferRequestedOutput", "as_numpy", "get_output_tensor_by_name", "get_output"),
}
_OWN = ("InferenceResponse", "get_input_tensor_by_name")  # a model's own tensors, not those that it asks another for
_LISTS = ("requested_output_names", "outputs", "output_names")


class Place(NamedTuple):
    """A string in a text: its span in bytes of the text."""

    start: int
    end: int


def renamed(text: str, kind: str, old: str, new: str) -> str | None:
    """The text that asks for another input, output or model; None where it does not ask for the old one.

    Args:
        text: a Python module.
        kind: INPUT, OUTPUT or MODEL.
        old: the name that it uses.
        new: the name to write in its place.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    places = sorted(_places(tree, text, kind, old))
    if not places:
        return None
    data = text.encode()
    for start, end in reversed(places):
        quote = data[start : start + 1].decode()
        data = data[:start] + (quote + new + quote).encode() + data[end:]
    changed = data.decode()
    try:
        ast.parse(changed)
    except SyntaxError:
        return None
    return changed


def strings(text: str) -> set[str]:
    """Every string that a Python text holds."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _places(tree: ast.Module, text: str, kind: str, old: str) -> Iterator[Place]:
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    offsets = [0]
    for line in text.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node.value != old or not _asks(node, above, kind):
            continue
        place = Place(
            offsets[node.lineno - 1] + node.col_offset, offsets[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
        )
        if text.encode()[place.start : place.start + 1] in (b'"', b"'") and node.lineno == node.end_lineno:
            yield place


def _asks(node: ast.Constant, above: dict[ast.AST, ast.AST], kind: str) -> bool:
    """Whether a string names what a request asks for, by where it stands."""
    parent = above.get(node)
    if any(_callee(each) in _OWN for each in _ancestors(node, above) if isinstance(each, ast.Call)):
        return False
    if kind == MODEL:
        return not isinstance(parent, ast.Expr | ast.JoinedStr)
    holder = above.get(parent) if isinstance(parent, ast.keyword) else parent
    if isinstance(holder, ast.Call):
        return _callee(holder) in _CALLS[kind] and (not isinstance(parent, ast.keyword) or parent.arg == "name")
    if isinstance(parent, ast.Dict):
        return _in_dict(node, parent, kind)
    if isinstance(parent, ast.List | ast.Tuple):
        return kind == OUTPUT and _named_list(parent, above)
    stored = isinstance(parent, ast.Subscript) and kind == INPUT and isinstance(parent.ctx, ast.Store)
    return stored or (isinstance(parent, ast.Assign) and parent.value is node)


def _in_dict(node: ast.Constant, parent: ast.Dict, kind: str) -> bool:
    """A key of feeds, or the name of an entry of a request."""
    if node in parent.keys:
        return kind == INPUT
    key = parent.keys[parent.values.index(node)]
    told = {each.value for each in parent.keys if isinstance(each, ast.Constant)}
    named = isinstance(key, ast.Constant) and key.value == "name"
    return named and (kind == INPUT) == bool(told & {"datatype", "data", "shape", "dims"})


def _named_list(node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    parent = above.get(node)
    if isinstance(parent, ast.keyword):
        return parent.arg in _LISTS
    return isinstance(parent, ast.Call | ast.Assign)


def _ancestors(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    found = above.get(node)
    while found is not None:
        yield found
        found = above.get(found)


def _callee(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
