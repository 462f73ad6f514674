"""Arguments of calls: finding them by name or place, also behind ``**options``, and adding and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst

from triage.pysource.flow import Flow, Origin
from triage.pysource.source import Source


class Argument(NamedTuple):
    """An argument of a call: the file and node that hold it, and its value.

    ``holder`` is the Arg, the DictElement of a dictionary, or the value itself where neither is at hand.
    With ``keys`` the value is what these take out of ``value``, such as a loaded data file.
    """

    source: Source
    holder: cst.CSTNode
    value: cst.BaseExpression
    keys: tuple[str | int, ...] = ()


def given(call: cst.Call, name: str, position: int | None = None) -> cst.Arg | None:
    """The argument that stands in the call itself, by keyword or place; None for what ``*`` and ``**`` bring."""
    plain = 0
    for arg in call.args:
        if arg.keyword is not None:
            if arg.keyword.value == name:
                return arg
        elif arg.star == "*":
            position = None
        elif not arg.star:
            if plain == position:
                return arg
            plain += 1
    return None


def positional(call: cst.Call) -> list[cst.Arg]:
    """Arguments without a name that stand before any star."""
    found = []
    for arg in call.args:
        if arg.star == "*":
            break
        if arg.keyword is None and not arg.star:
            found.append(arg)
    return found


def argument(flow: Flow, source: Source, call: cst.Call, name: str, position: int | None = None) -> list[Argument]:
    """Where an argument of a call stands: in the call, or in the dictionaries that ``**`` spreads into it."""
    direct = given(call, name, position)
    if direct is not None:
        return [Argument(source, direct, direct.value)]
    found = []
    for arg in call.args:
        if arg.star == "**":
            for origin in flow.item(source, arg.value, name):
                if isinstance(origin.node, cst.BaseExpression):
                    found.append(Argument(origin.source, holder_of(origin), origin.node, origin.keys))
    return found


def holder_of(origin: Origin) -> cst.CSTNode:
    """The dictionary entry, keyword or assignment that holds a value."""
    up = origin.source.parent(origin.node)
    if isinstance(up, cst.DictElement | cst.Arg):
        return up
    if isinstance(up, cst.Assign) and isinstance(up.targets[0].target, cst.Subscript):
        return up
    return origin.node


def is_open(call: cst.Call) -> bool:
    """Whether the call takes further arguments from ``*`` or ``**``."""
    return any(arg.star for arg in call.args)


def bound(function: cst.FunctionDef, param: cst.Param, call: cst.Call, *, method: bool) -> cst.BaseExpression | None:
    """What a call hands to a parameter; None where it is left to the default."""
    params = function.params
    plain = [*params.posonly_params, *params.params]
    place = next((at for at, one in enumerate(plain) if one is param), None)
    if place is not None and method and not _is_static(function):
        place -= 1
    if place is not None and place < 0:
        return None
    found = given(call, param.name.value, place)
    return found.value if found is not None else None


def add(source: Source, call: cst.Call, *texts: str) -> None:
    """Adds arguments at the end of a call, laid out like the last one.

    Args:
        source: the file.
        call: the call.
        texts: arguments as they are written, such as ``dynamo=False``.
    """
    if not call.args:
        end = source.span(call)[1] - (1 if not call.rpar else 1 + _outer(source, call))
        source.insert(end, ", ".join(texts))
        return
    last = call.args[-1]
    at = source.span(last.value)[1]
    source.insert(at, "".join(separator(source, call.args, call) + text for text in texts))


def add_entry(source: Source, node: cst.Dict, *texts: str) -> None:
    """Adds entries at the end of a dictionary literal."""
    if not node.elements:
        source.replace(node, "{" + ", ".join(texts) + "}")
        return
    last = node.elements[-1]
    at = source.span(last.value)[1]
    source.insert(at, "".join(separator(source, node.elements, node) + text for text in texts))


def separator(source: Source, entries: Sequence[cst.CSTNode], group: cst.CSTNode) -> str:
    """What stands between two entries of a call or literal: a comma and a blank, or a new line and its indent."""
    start = source.span(entries[-1])[0]
    before = source.span(entries[-2])[1] if len(entries) > 1 else source.span(group)[0]
    line = source.data.rfind(b"\n", 0, start) + 1
    head = source.data[line:start]
    if line > before and not head.strip():
        return f",{source.newline}{head.decode()}"
    return ", "


def remove(source: Source, *holders: cst.CSTNode) -> None:
    """Removes arguments, dictionary entries or whole assignments ``options["x"] = …``."""
    groups: dict[int, tuple[Sequence[cst.CSTNode], list[int]]] = {}
    for holder in holders:
        if isinstance(holder, cst.Assign):
            remove_statement(source, source.statement(holder))
            continue
        group = source.parent(holder)
        entries = _entries(group) if group is not None else ()
        at = next((place for place, one in enumerate(entries) if one is holder), None)
        if at is not None:
            groups.setdefault(id(group), (entries, []))[1].append(at)
    for entries, places in groups.values():
        _remove_entries(source, entries, set(places))


def remove_statement(source: Source, statement: cst.CSTNode) -> None:
    """Removes a statement with its line; ``pass`` takes its place where its block would be empty."""
    block = source.parent(statement)
    start, end = source.span(statement)
    if isinstance(block, cst.IndentedBlock) and len(block.body) == 1:
        source.replace(statement, "pass")
        return
    line = source.data.rfind(b"\n", 0, start) + 1
    if source.data[line:start].strip():
        source.replace(statement, "pass")
        return
    stop = source.data.find(b"\n", end)
    source.remove(line, len(source.data) if stop < 0 else stop + 1)


def _entries(group: cst.CSTNode) -> Sequence[cst.CSTNode]:
    if isinstance(group, cst.Call):
        return group.args
    return group.elements if isinstance(group, cst.Dict | cst.List | cst.Tuple | cst.Set) else ()


def _remove_entries(source: Source, entries: Sequence[cst.CSTNode], gone: set[int]) -> None:
    kept = [at for at in range(len(entries)) if at not in gone]
    last = kept[-1] if kept else -1
    for at in sorted(gone):
        if at < last:
            source.remove(_start(source, entries[at]), _start(source, entries[at + 1]))
    if not kept:
        source.remove(_start(source, entries[0]), _stop(source, entries[-1]))
    elif last < len(entries) - 1:
        source.remove(_end(source, entries[last]), _end(source, entries[-1]))


def _start(source: Source, entry: cst.CSTNode) -> int:
    return source.span(entry)[0]


def _end(source: Source, entry: cst.CSTNode) -> int:
    value = getattr(entry, "value", entry)
    return source.span(value)[1]


def _stop(source: Source, entry: cst.CSTNode) -> int:
    """The end of the only entry, with its comma."""
    end = _end(source, entry)
    rest = source.data[end:]
    tail = rest.lstrip()
    return end + len(rest) - len(tail) + 1 if tail.startswith(b",") else end


def _outer(source: Source, call: cst.Call) -> int:
    return source.span(call)[1] - source.span(call.rpar[0])[0]


def _is_static(function: cst.FunctionDef) -> bool:
    return any(
        isinstance(one.decorator, cst.Name) and one.decorator.value == "staticmethod" for one in function.decorators
    )
