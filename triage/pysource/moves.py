"""Moving names and arguments that a release removed to what replaces them; the facts are kb/compat/python-moved-api."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import libcst as cst

from triage.pysource import arguments, names, places
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite, calls
from triage.pysource.exporters import OLD_ORDER
from triage.pysource.flow import Flow
from triage.pysource.movetable import Move, table
from triage.pysource.places import Place
from triage.pysource.project import dotted_text
from triage.pysource.source import Source, inner_first

_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'|module ([\w.]+) has no attribute (\w+)")
_IMPORT = re.compile(r"cannot import name '?(\w+)'? from '?([\w.]+)'?")
_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_KEYWORD = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_POSITIONS = re.compile(r"(\w+)\(\) takes (?:from )?\d+ (?:to \d+ )?positional arguments? but \d+ (?:was|were) given")


class Done(NamedTuple):
    """What was moved (old and new in words), rows that were met but cannot be moved, and keys of data files that go."""

    said: list[str]
    refused: list[Move]
    keys: list[Place]


def move_all(flow: Flow, log: str) -> Done:
    """Moves all that is gone from the packages that the log complains of, where the log names one of them."""
    met = [move for move in table() if _usable(move) and _is_met(flow, move, log)]
    told = [move for move in met if named(move, log)]
    packages = {move.package for move in told}
    wanted = [move for move in met if move in told or (move.package in packages and _is_gone(move))]
    done = Done([], [], [])
    for move in wanted:
        if move.how == "refuse":
            if move in told and not move.quiet:
                done.refused.append(move)
        elif move.how != "gone":
            _move(flow, move, done)
    for move in wanted:
        if move.how == "gone":
            _drop_imports(flow, move)
    return done


def named(move: Move, log: str) -> bool:
    """Whether the log says that this is not there."""
    if move.when:
        return move.when in log
    if move.how == "keyword":
        return any(move.old.endswith("." + one[1]) for one in _POSITIONS.finditer(log))
    if move.argument:
        return any(
            one[2] == move.argument and move.old.rpartition(".")[2].lstrip("_") == one[1].lstrip("_")
            for one in _KEYWORD.finditer(log)
        )  # fmt: skip
    said = [f"{one[1] or one[3]}.{one[2] or one[4]}" for one in _ATTRIBUTE.finditer(log)]
    said += [f"{one[2]}.{one[1]}" for one in _IMPORT.finditer(log)]
    if any(move.old == one or move.old.startswith(one + ".") or one.startswith(move.old + ".") for one in said):
        return True
    if any(move.old == one[1] or move.old.startswith(one[1] + ".") for one in _MODULE.finditer(log)):
        return True
    return bool(re.search(rf"`(?:np\.)?{re.escape(move.old.rpartition('.')[2])}` was removed in the NumPy", log)) or (
        move.how == "call" and bool(re.search(rf"\b{re.escape(move.old)}\b", log))
    )


def _usable(move: Move) -> bool:
    """The replacement exists in what is installed, as far as that can be told."""
    have = _installed(move.package)
    if move.since and have is not None and have < _number(move.since):
        return False
    if move.installs and _installed(move.installs) is None:
        return False
    return not (move.unless and _installed(move.unless) is not None)


def _is_gone(move: Move) -> bool:
    have = _installed(move.package)
    return have is not None and bool(move.gone) and have >= _number(move.gone)


def _installed(package: str) -> tuple[int, ...] | None:
    from triage.pysource.exporters import release_of

    if package == "python":
        import sys

        return sys.version_info[:2]
    return release_of(package)


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _is_met(flow: Flow, move: Move, log: str) -> bool:
    last = move.argument or move.old.rpartition(".")[2]
    written = any(last.encode() in source.data for source in flow.project.sources())
    return written or bool(move.argument and last in log) or bool(move.when and move.when in log)


def _move(flow: Flow, move: Move, done: Done) -> None:
    work: dict[str, Callable[[Flow, Source, Move], bool]] = {
        "name": _names, "module": _names, "call": _calls, "index": _indices, "keyword": _keywords, "dynamo": _dynamo,
        "drop": partial(_arguments, goes=done.keys), "add": partial(_arguments, goes=done.keys),
    }  # fmt: skip
    for source in flow.project.sources():
        if flow.project.may_change(source) and work[move.how](flow, source, move):
            said = f"{move.name} -> {_plain(move.new)}" if move.new and move.how != "add" else _words(move)
            done.said.append(said + (f" ({move.note})" if move.note and move.how in ("call", "index") else ""))


def _words(move: Move) -> str:
    return {
        "drop": f"{move.name}: dropped", "add": f"{move.name}: given", "keyword": f"{move.old}: arguments by name",
        "dynamo": f"{move.old} -> torch.onnx.export(…, dynamo=True)",
    }.get(move.how, move.name)  # fmt: skip


def _plain(new: str) -> str:
    return new.replace("{*}", "…").replace("{0}", "…").replace("{1}", "…")


def uses(source: Source, name: str) -> Iterator[cst.Attribute | cst.Name]:
    """Expressions that are this full name, by the file's imports."""
    last = name.rpartition(".")[2]
    for node in source.find(cst.Attribute, cst.Name):
        text = node.attr.value if isinstance(node, cst.Attribute) else str(node.value)
        up = source.parent(node)
        if (isinstance(up, cst.Attribute) and up.attr is node) or isinstance(up, cst.ImportAlias | cst.AsName):
            continue
        if source.above(node, cst.Import, cst.ImportFrom) is not None or (
            isinstance(up, cst.Arg) and up.keyword is node
        ):
            continue
        if (text == last or isinstance(node, cst.Name)) and names.full_name(source, node) == name:
            yield node


def aliases(source: Source, name: str) -> Iterator[tuple[cst.Import | cst.ImportFrom, cst.ImportAlias]]:
    """Import statements, anywhere in a file, that bring in this full name."""
    for node in source.find(cst.Import, cst.ImportFrom):
        if isinstance(node.names, cst.ImportStar) or (isinstance(node, cst.ImportFrom) and node.relative):
            continue
        base = dotted_text(node.module) + "." if isinstance(node, cst.ImportFrom) and node.module else ""
        for alias in node.names:
            if base + dotted_text(alias.name) == name:
                yield node, alias


def _names(flow: Flow, source: Source, move: Move) -> bool:
    done = False
    rebound = False
    for statement, alias in aliases(source, move.old):
        done = rebound = True
        _import_instead(source, statement, alias, move)
    for one in source.find(cst.ImportFrom) if move.how == "module" else ():
        if one.module is not None and not one.relative and dotted_text(one.module) == move.old:
            source.replace(one.module, move.new)
            done = True
    for node in inner_first(source, uses(source, move.old)):
        if isinstance(node, cst.Name) and rebound:
            _adapt(source, node, move)
            continue
        text, needs = names.spelled(source, move.new)
        if needs is not None and not any(edit.text.startswith(f"import {needs}") for edit in source.edits):
            names.add_import(source, f"import {needs}")
        source.replace(
            node, f"({text})" if text.startswith("-") and isinstance(source.parent(node), cst.Attribute) else text
        )
        _adapt(source, node, move)
        done = True
    return done


def _import_instead(source: Source, node: cst.Import | cst.ImportFrom, alias: cst.ImportAlias, move: Move) -> None:
    """The import statement that binds the same name to what took the old one's place."""
    bound = alias.asname.name if alias.asname is not None else alias.name
    text = dotted_text(bound)
    module, _, last = move.new.rpartition(".")
    if _is_builtin(move.new):
        names.remove_alias(source, node, alias, "" if text == move.new or "." in text else f"{text} = {move.new}")
    elif isinstance(node, cst.Import) and alias.asname is None:
        source.replace(alias, move.new)
    elif not module:
        names.remove_alias(source, node, alias, f"import {move.new}" + ("" if text == move.new else f" as {text}"))
    else:
        names.remove_alias(
            source, node, alias, f"from {module} import {last}" + ("" if text == last else f" as {text}")
        )


def _is_builtin(new: str) -> bool:
    import builtins

    return hasattr(builtins, new) or not new[0].isalpha()


def _adapt(source: Source, node: cst.CSTNode, move: Move) -> None:
    """Keeps the old defaults, and drops arguments that the new one does not take."""
    call = source.parent(node)
    if not isinstance(call, cst.Call) or call.func is not node or not (move.defaults or move.drops):
        return
    gone = [arg for arg in call.args if arg.keyword is not None and arg.keyword.value in move.drops.split(", ")]
    arguments.remove(source, *gone)
    if not arguments.is_open(call) and len(arguments.positional(call)) < 4:
        missing = [
            text for text in move.defaults.split(", ") if text and arguments.given(call, text.split("=")[0]) is None
        ]
        if missing and not gone:
            arguments.add(source, call, *missing)
        elif missing:
            end = source.span(call)[1] - 1
            source.insert(end, ", " + ", ".join(missing))


def _calls(flow: Flow, source: Source, move: Move) -> bool:
    done = False
    for node in inner_first(source, uses(source, move.old)):
        call = source.parent(node)
        if not isinstance(call, cst.Call) or call.func is not node:
            continue
        fresh = _filled(source, call, move)
        if fresh is not None:
            source.replace(call, fresh)
            done = True
    for statement, alias in list(aliases(source, move.old)) if done else ():
        names.remove_alias(source, statement, alias)
    return done


def _filled(source: Source, call: cst.Call, move: Move) -> str | None:
    """The new call: ``{0}`` and ``{1}`` are its first arguments, ``{*}`` all of them."""
    plain = arguments.positional(call)
    texts = [source.edited(arg.value) for arg in plain]
    if "{*}" not in move.new and (len(texts) < (move.takes or 1) or (move.takes and len(call.args) > move.takes)):
        return None
    if move.when_argument:
        given = arguments.given(call, move.when_argument, 1)
        if given is None or literal(given.value) is not True:
            return None
    inside = source.data[source.span(call.args[0])[0] : source.span(call.args[-1])[1]].decode() if call.args else ""
    new = move.new
    root = re.match(r"[a-z_][\w.]*\.", new)
    if root:
        text, needs = names.spelled(source, root[0] + "x")
        new = text[:-1] + new[len(root[0]) :]
        if needs is not None:
            names.add_import(source, f"import {needs}")
    for at, text in enumerate(texts):
        new = new.replace(f"{{{at}}}", text)
    return new.replace("{*}", inside)


def _indices(flow: Flow, source: Source, move: Move) -> bool:
    done = False
    for node in inner_first(source, uses(source, move.old)):
        found = _looked_up(source, node)
        if found is not None:
            text, needs = names.spelled(source, move.new)
            source.replace(found[0], f"{text}({source.edited(found[1])})")
            if needs is not None:
                names.add_import(source, f"import {needs}")
            done = True
    for statement, alias in list(aliases(source, move.old)) if done else ():
        names.remove_alias(source, statement, alias)
    return done


def _looked_up(source: Source, node: cst.CSTNode) -> tuple[cst.CSTNode, cst.CSTNode] | None:
    """(the whole, the key) of ``table[key]`` and ``table.get(key)``."""
    up = source.parent(node)
    if isinstance(up, cst.Subscript) and up.value is node and len(up.slice) == 1:
        return up, up.slice[0].slice
    call = source.parent(up) if isinstance(up, cst.Attribute) and up.attr.value == "get" else None
    if isinstance(call, cst.Call) and len(call.args) == 1:
        return call, call.args[0].value
    return None


def _drop_imports(flow: Flow, move: Move) -> None:
    """Takes out imports of a module that is gone, once nothing of it is used any more."""
    for source in flow.project.sources():
        if not flow.project.may_change(source) or _still_used(source, move):
            continue
        for node, alias in list(aliases(source, move.old)):
            if isinstance(node, cst.Import) and alias.asname is None and "." in move.old:
                source.replace(alias, move.old.split(".")[0])
            else:
                names.remove_alias(source, node, alias)


def _still_used(source: Source, move: Move) -> bool:
    """Whether something of the module stays that no move has replaced."""
    starts = {edit.start for edit in source.edits}
    for node in source.find(cst.Attribute):
        name = names.full_name(source, node)
        if name and name.startswith(move.old + ".") and source.above(node, cst.Import, cst.ImportFrom) is None:
            start, end = source.span(node)
            if start not in starts and not any(edit.start <= start and end <= edit.end for edit in source.edits):
                return True
    return False


def _sites(flow: Flow, source: Source, move: Move) -> list[CallSite]:
    return [site for site in calls(flow, move.old.__eq__) if site.source is source]


def _arguments(flow: Flow, source: Source, move: Move, goes: list[Place]) -> bool:
    done = False
    for site in _sites(flow, source, move):
        given = site.argument(move.argument)
        if move.how == "add":
            if not given and not arguments.is_open(site.node):
                text, _ = names.spelled(source, "onnxruntime.x")
                arguments.add(source, site.node, move.new.replace("{onnxruntime}", text[:-2]))
                done = True
            continue
        for one in given:
            if move.values and one.source.code(one.value) not in move.values.split(", "):
                continue
            if one.keys:
                found = [place for place in places.of_argument(flow, one) if place.path is not None]
                done = bool(found) or done
                goes += found
            elif not isinstance(one.holder, cst.BaseExpression) and flow.project.may_change(one.source):
                _gone_together(one.source, one.holder)
                done = True
    return done


def _gone_together(source: Source, holder: cst.CSTNode) -> None:
    """Remembers an argument to remove; all of one call are removed at once."""
    source.leaving.append(holder)


def _keywords(flow: Flow, source: Source, move: Move) -> bool:
    done = False
    for site in _sites(flow, source, move):
        plain = arguments.positional(site.node)
        if len(plain) <= 3 or site.shift or len(plain) > len(OLD_ORDER):
            continue
        if len(plain) > 9 and not isinstance(literal(plain[9].value), int):
            continue
        for arg, key in zip(plain[3:], OLD_ORDER[3:], strict=False):
            if source.code(arg.value) == "None":  # stood for the default
                _gone_together(source, arg)
            else:
                source.insert(source.span(arg)[0], f"{key}=")
        done = True
    return done


def _dynamo(flow: Flow, source: Source, move: Move) -> bool:
    from triage.pysource.dynamo import as_export

    done = bool([site for site in _sites(flow, source, move) if as_export(site)])
    for name in (move.old, "torch.onnx.ExportOptions") if done else ():
        for node, alias in list(aliases(source, name)):
            names.remove_alias(source, node, alias)
    return done


def finish(sources: Sequence[Source]) -> None:
    """Removes the arguments and imported names that were found to go."""
    for source in sources:
        if source.leaving:
            arguments.remove(source, *dict.fromkeys(source.leaving))
            source.leaving.clear()
        names.finish(source)
