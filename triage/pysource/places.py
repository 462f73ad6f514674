"""Where the value of an argument can be changed: in the source, on the command line, or in a data file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import libcst as cst
from libcst import metadata

from triage import commandline
from triage.commandline import Command, Flag
from triage.pysource import datafile
from triage.pysource.arguments import Argument
from triage.pysource.bindings import bindings, literal
from triage.pysource.flow import Flow, Origin
from triage.pysource.project import dotted_text
from triage.pysource.source import Source

_LOADERS = re.compile(r"(?:^|\.)(?:json|yaml|tomllib|tomli|toml|OmegaConf|ujson|orjson|YAML\(\)|configparser)\.")
_SWITCHES = ("store_true", "store_false", "store_const", "count", "help", "version", "append_const")


class Place(NamedTuple):
    """One place that a value comes from, and the value as it is there.

    A ``node`` of a ``source``; a ``flag`` or word (``at``) of a ``command``; or ``keys`` of the data file ``path``.
    """

    value: Any
    source: Source | None = None
    node: cst.CSTNode | None = None
    command: Command | None = None
    flag: Flag | None = None
    at: int | None = None
    path: str | None = None
    keys: tuple[str | int, ...] = ()

    @property
    def name(self) -> str:
        """Where it is, in words."""
        if self.source is not None and self.node is not None:
            return f"line {self.source.line(self.node)} of {self.source.path}"
        if self.path is not None:
            return f"{'.'.join(map(str, self.keys))} in {self.path}"
        word = self.flag.name if self.flag else f"word {self.at}"
        where = self.command.path if self.command is not None and self.command.path else "the command"
        return f"{word} of {where}"


def places(flow: Flow, source: Source, node: cst.CSTNode) -> list[Place]:
    """Every place from which the value of an expression comes; what the command says stands for its default."""
    return _unique(flow, flow.origins(source, node))


def of_argument(flow: Flow, argument: Argument) -> list[Place]:
    """Every place from which an argument's value comes."""
    if argument.keys:
        return _unique(flow, [Origin(argument.source, argument.value, argument.keys)])
    return places(flow, argument.source, argument.value)


def _unique(flow: Flow, origins: list[Origin]) -> list[Place]:
    found: list[Place] = []
    for origin in origins:
        found += [place for place in _of_origin(flow, origin) if place not in found]
    return found


def may_change(flow: Flow, place: Place) -> bool:
    """Whether a fix may write there."""
    site = flow.project.site
    if place.source is not None:
        return flow.project.may_change(place.source)
    if place.path is not None:
        return site.may_change(place.path)
    return place.command is not None and (place.command.path is None or site.may_change(place.command.path))


def _of_origin(flow: Flow, origin: Origin) -> Iterator[Place]:
    node, source = origin.node, origin.source
    if not origin.keys:
        value = literal(node)
        if value is not None:
            yield Place(value, source, node)
            return
    if isinstance(node, cst.Name):
        yield from _of_decorated(flow, source, node)
    elif isinstance(node, cst.Attribute) and origin.keys and dotted_text(node).endswith("argv"):
        yield from _of_argv(flow, origin.keys[0])
    elif isinstance(node, cst.Call):
        yield from _of_call(flow, origin, node)
    elif isinstance(node, cst.Subscript) or origin.keys:
        yield from _of_environment(flow, origin)


def _of_call(flow: Flow, origin: Origin, node: cst.Call) -> Iterator[Place]:
    name = ".".join(flow.all_dotted(origin.source, node.func)[:1]) or dotted_text(node.func)
    last = name.rpartition(".")[2] or (node.func.attr.value if isinstance(node.func, cst.Attribute) else "")
    if last in ("parse_args", "parse_known_args", "parse_args_into_dataclasses") and origin.keys:
        key = next((one for one in origin.keys if isinstance(one, str)), None)
        if key is not None:
            yield from _of_option(flow, key)
    elif name in ("os.environ.get", "os.getenv"):
        yield from _of_environment(flow, origin)
    elif name.startswith(("typer.Option", "typer.Argument", "pydantic.Field", "dataclasses.field")):
        for arg in node.args:
            if arg.keyword is None or arg.keyword.value == "default":
                yield from places(flow, origin.source, arg.value)
                break
    elif origin.keys and (_LOADERS.search(name + ".") or last in ("load", "loads", "safe_load", "full_load", "read")):
        yield from _of_data(flow, origin, node)


def _of_option(flow: Flow, key: str) -> Iterator[Place]:
    """An option of argparse: the command's word where it has one, else the default."""
    for source in flow.project.sources():
        for call in source.find(cst.Call):
            if isinstance(call.func, cst.Attribute) and call.func.attr.value in ("add_argument", "add_option"):
                names = _option_names(call)
                if _destination(call, names) == key:
                    yield from _of_names(flow, source, call, names)


def _of_names(flow: Flow, source: Source, call: cst.Call, names: list[str]) -> Iterator[Place]:
    if not names[0].startswith("-"):
        yield from _of_word(flow, names[0])
        return
    told = list(_on_command(flow, names))
    yield from told
    default = next((arg.value for arg in call.args if arg.keyword is not None and arg.keyword.value == "default"), None)
    if default is not None and not told:
        yield from places(flow, source, default)


def _on_command(flow: Flow, names: list[str]) -> Iterator[Place]:
    for command in commandline.commands(flow.project.site):
        flag = command.flag(*names) if _runs_python(command) else None
        if flag is not None and flag.value is not None:
            yield Place(flag.value, command=command, flag=flag)


def _runs_python(command: Command) -> bool:
    return command.script is not None and not command.is_shell


def _of_word(flow: Flow, name: str) -> Iterator[Place]:
    """A positional argument of argparse: the word at its place in the command."""
    order, switches = [], set()
    for source in flow.project.sources():
        for call in source.find(cst.Call):
            if isinstance(call.func, cst.Attribute) and call.func.attr.value == "add_argument":
                names = _option_names(call)
                if names and not names[0].startswith("-"):
                    order.append(names[0])
                elif any(literal(arg.value) in _SWITCHES for arg in call.args if _named(arg, "action")):
                    switches.update(names)
    for command in commandline.commands(flow.project.site):
        words = list(_plain_words(command, switches)) if _runs_python(command) else []
        if name in order and order.index(name) < len(words):
            at = words[order.index(name)]
            yield Place(command.words[at], command=command, at=at)


def _plain_words(command: Command, switches: set[str]) -> Iterator[int]:
    at = command.arguments_at
    while at < len(command.words):
        word = command.words[at]
        if word.startswith("-"):
            at += 1 if word in switches or "=" in word else 2
            continue
        yield at
        at += 1


def _of_argv(flow: Flow, key: str | int) -> Iterator[Place]:
    if not isinstance(key, int) or key < 1:
        return
    for command in commandline.commands(flow.project.site):
        at = command.arguments_at + key - 1
        if _runs_python(command) and at < len(command.words):
            yield Place(command.words[at], command=command, at=at)


def _of_environment(flow: Flow, origin: Origin) -> Iterator[Place]:
    """``os.environ.get("OPSET", "11")``: a variable before the command, else the default."""
    node, name, default = origin.node, None, None
    if isinstance(node, cst.Call) and node.args:
        name = literal(node.args[0].value)
        default = node.args[1].value if len(node.args) > 1 else None
    elif dotted_text(node).endswith("environ") and origin.keys:
        name = origin.keys[0]
    if not isinstance(name, str):
        return
    told = False
    for command in commandline.commands(flow.project.site):
        for at, word in enumerate(command.words[: command.program_at + 1]):
            if word.startswith(f"{name}="):
                told = True
                yield Place(word.partition("=")[2], command=command, at=at, keys=(name,))
    if default is not None and not told:
        yield from places(flow, origin.source, default)


def _of_decorated(flow: Flow, source: Source, node: cst.Name) -> Iterator[Place]:
    """A parameter that click, typer or fire fill from an option."""
    for assignment in bindings(source, node):
        if not isinstance(assignment, metadata.Assignment) or not isinstance(assignment.node, cst.Param):
            continue
        function = source.above(assignment.node, cst.FunctionDef)
        for one in function.decorators if function is not None else ():
            call = one.decorator
            if isinstance(call, cst.Call) and dotted_text(call.func).rpartition(".")[2] in ("option", "argument"):
                names = _option_names(call)
                if names and _destination(call, names) == node.value:
                    yield from _of_names(flow, source, call, names)


def _of_data(flow: Flow, origin: Origin, call: cst.Call) -> Iterator[Place]:
    """A value of a JSON, YAML or TOML file that the script loads."""
    site = flow.project.site
    named = [path for path in site.listing if path.endswith(datafile.ENDINGS)]
    text = origin.source.code(call) + " ".join(_opened(flow, origin.source, call))
    told = [path for path in named if path.rpartition("/")[2] in text]
    keys = tuple(origin.keys)
    for path in told or named:
        value = datafile.value_at(datafile.read(site.text(path), path), keys)
        if value is not None:
            yield Place(value, path=path, keys=keys)


def _opened(flow: Flow, source: Source, call: cst.Call) -> Iterator[str]:
    inner = [call, *(arg.value for arg in call.args)]
    for node in inner[1:]:
        for origin in flow.origins(source, node):
            yield origin.source.code(origin.node)
            if isinstance(origin.node, cst.Call):
                inner += [arg.value for arg in origin.node.args[:1] if len(inner) < 12]


def _option_names(call: cst.Call) -> list[str]:
    found = [literal(arg.value) for arg in call.args if arg.keyword is None and not arg.star]
    return [name for name in found if isinstance(name, str)]


def _destination(call: cst.Call, names: list[str]) -> str | None:
    for arg in call.args:
        if _named(arg, "dest"):
            found = literal(arg.value)
            return found if isinstance(found, str) else None
    long = [name for name in names if name.startswith("--")] or names
    return long[0].lstrip("-").replace("-", "_") if long else None


def _named(arg: cst.Arg, name: str) -> bool:
    return arg.keyword is not None and arg.keyword.value == name
