"""Moving a TensorRT script to the interface of a newer release; the facts are kb/compat/tensorrt-moved-api."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import libcst as cst

from triage.folders import data_folder
from triage.pysource import arguments, names, trttypes
from triage.pysource.bindings import literal
from triage.pysource.flow import Flow
from triage.pysource.project import dotted_text
from triage.pysource.source import Source, inner_first

_SAID = (
    re.compile(r"'(?:[\w.]*\.)?(\w+)' object has no attribute '(\w+)'"),
    re.compile(r"type object '(?:[\w.]*\.)?(\w+)' has no attribute '(\w+)'"),
    re.compile(r"module '(tensorrt)[\w.]*' has no attribute '(\w+)'"),
)
_RELEASE = re.compile(r"TensorRT[ -]?(?:version:? ?|v|release )?(\d+)\.(\d+)|tensorrt(?:-cu\d+)?[=_-]{1,2}(\d+)\.(\d+)")


class Row(NamedTuple):
    """One row of the table; see its columns."""

    owner: str
    name: str
    how: str
    new: str = ""
    gone: str = ""
    since: str = ""
    sure: bool = False
    note: str = ""


class Use(NamedTuple):
    """An attribute of the script that a row is about."""

    source: Source
    node: cst.Attribute
    row: Row


@cache
def table() -> tuple[Row, ...]:
    """Every row."""
    import yaml

    with open(f"{data_folder('kb')}/compat/tensorrt-moved-api.yaml", encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(Row(**{key: value for key, value in row.items() if key in Row._fields}) for row in document["rows"])


def move_all(flow: Flow, log: str, version: str | None) -> tuple[list[str], list[Row]]:
    """Moves a script to the release whose log it is. Gives what was moved, and what cannot be.

    Args:
        flow: of the project.
        log: what the failing run printed.
        version: of TensorRT, where it is known.
    """
    told = [row for row in table() if _named(row, log)]
    if not told:
        return [], []
    release = max([_number(row.gone) for row in told] + [_release(log, version)])
    said: list[str] = []
    refused = []
    for use in list(_uses(flow, release)):
        if use.row.how == "refuse":
            refused.append(use.row)
        elif flow.project.may_change(use.source) and _Writer(flow, use).write():
            said.append(f"{use.row.owner}.{use.row.name}" + _arrow(use.row))
    if said:
        _loops(flow)
    return list(dict.fromkeys(said)), [row for row in dict.fromkeys(refused) if row in told]


def _arrow(row: Row) -> str:
    known = {"async": "execute_async_v3 with set_tensor_address", "zero-flag": "0", "drop": ""}
    called = re.match(r"\(?\{(?:self|config)\}\.(\w+)\(", row.new)
    new = known.get(row.how, called[1] if called else "" if "{" in row.new else row.new)
    return f" -> {new}" if new else " dropped" if row.how == "drop" else ""


def _named(row: Row, log: str) -> bool:
    return any(
        one[2] == row.name and (one[1] in (row.owner, "tensorrt") or row.sure or one[1] == "NoneType")
        for pattern in _SAID for one in pattern.finditer(log)
    )  # fmt: skip


def _release(log: str, version: str | None) -> tuple[int, int]:
    from triage.pysource.exporters import release_of

    if version and (found := re.match(r"(\d+)\.(\d+)", version)):
        return int(found[1]), int(found[2])
    for match in _RELEASE.finditer(log):
        numbers = [int(part) for part in match.groups() if part]
        return numbers[0], numbers[1]
    return release_of("tensorrt") or (0, 0)


def _number(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _uses(flow: Flow, release: tuple[int, int]) -> Iterator[Use]:
    """What the script uses of the rows that are gone in a release, and whose successor that release has."""
    rows: dict[str, list[Row]] = {}
    for row in table():
        if _number(row.gone) <= release and (not row.since or _number(row.since) <= release):
            rows.setdefault(row.name, []).append(row)
    for source in flow.project.sources():
        if not trttypes.in_script(flow, source):
            continue
        for node in inner_first(source, source.find(cst.Attribute)):
            found = [row for row in rows.get(node.attr.value, ()) if _fits(flow, source, node, row)]
            if found:
                yield Use(source, node, found[-1] if _is_target(source, node) else found[0])


def _fits(flow: Flow, source: Source, node: cst.Attribute, row: Row) -> bool:
    """Whether the object is of the row's class; where nothing tells, whether the name alone tells."""
    if row.how in ("set", "flag", "on-config", "drop") and not _is_target(source, node):
        return False
    if row.how == "get" and _is_target(source, node):
        return False
    kinds = trttypes.kinds(flow, source, node.value)
    if kinds:
        return row.owner in kinds
    return row.sure and trttypes.in_script(flow, source) and not trttypes.is_other(flow, source, node.value, row.owner)


def _is_target(source: Source, node: cst.Attribute) -> bool:
    return isinstance(source.parent(node), cst.AssignTarget)


class _Writer:
    """Writes one use anew."""

    def __init__(self, flow: Flow, use: Use) -> None:
        self.flow, self.source, self.node, self.row = flow, use.source, use.node, use.row
        up = self.source.parent(self.node)
        self.call = up if isinstance(up, cst.Call) and up.func is self.node else None
        self.object = self.source.code(self.node.value)
        self.trt = names.spelled(self.source, "tensorrt.x")[0].removesuffix(".x")

    def write(self) -> bool:
        """False where this use has another form than the row knows."""
        return {
            "rename": self._rename, "enum": self._rename, "call": self._call, "get": self._get, "set": self._set,
            "flag": self._flag, "on-config": self._set, "drop": self._drop, "async": self._async,
            "zero-flag": self._zero_flag,
        }[self.row.how]()  # fmt: skip

    def _rename(self) -> bool:
        self.source.replace(self.node.attr, self.row.new)
        return True

    def _get(self) -> bool:
        self.source.replace(self.node, self._filled(self.row.new))
        return True

    def _call(self) -> bool:
        if self.call is None or any(arg.star for arg in self.call.args):
            return False
        fresh = self._filled(self.row.new)
        if "{" in fresh:
            return False
        if fresh[0] == "(" and isinstance(self.source.parent(self.call), cst.If | cst.While | cst.Assign | cst.Return):
            fresh = fresh[1:-1]
        self.source.replace(self.call, fresh)
        return True

    def _set(self) -> bool:
        assign = self.source.above(self.node, cst.Assign)
        if assign is None or len(assign.targets) != 1:
            return False
        value = self.source.code(assign.value)
        self.source.replace(assign, self._filled(self.row.new.replace("{value}", value)))
        return True

    def _flag(self) -> bool:
        assign = self.source.above(self.node, cst.Assign)
        if assign is None or len(assign.targets) != 1:
            return False
        config = self._config()
        text = f"{config}.set_flag({self.trt}.BuilderFlag.{self.row.new})"
        value = literal(assign.value)
        if value in (False, 0) and isinstance(value, bool | int):
            arguments.remove_statement(self.source, self.source.statement(assign))
            return True
        if value not in (True, 1):
            statement = self.source.statement(assign)
            indent = " " * 4
            start = self.source.span(statement)[0]
            head = self.source.data[self.source.data.rfind(b"\n", 0, start) + 1 : start].decode()
            text = f"if {self.source.code(assign.value)}:{self.source.newline}{head}{indent}{text}"
        self.source.replace(assign, text)
        return True

    def _drop(self) -> bool:
        arguments.remove_statement(self.source, self.source.statement(self.node))
        return True

    def _zero_flag(self) -> bool:
        """``1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)`` is 0 now."""
        at: cst.CSTNode = self.node
        up = self.source.parent(at)
        if isinstance(up, cst.Arg):
            at, up = up, self.source.parent(up)
            if isinstance(up, cst.Call) and dotted_text(up.func) == "int":
                at, up = up, self.source.parent(up)
        elif isinstance(up, cst.Attribute) and up.attr.value == "value":
            at, up = up, self.source.parent(up)
        if isinstance(up, cst.BinaryOperation) and isinstance(up.operator, cst.LeftShift):
            at = up
        self.source.replace(at, "0")
        return True

    def _async(self) -> bool:
        """Addresses are set first, in the order that the bindings had; then the call takes only the stream."""
        if self.call is None:
            return False
        old = self.row.name == "execute_async"
        bindings = arguments.given(self.call, "bindings", 1 if old else 0)
        stream = arguments.given(self.call, "stream_handle", 2 if old else 1)
        batch = arguments.given(self.call, "batch_size", 0) if old else None
        if bindings is None or stream is None or (batch is not None and literal(batch.value) not in (1, None)):
            return False
        statement = self.source.statement(self.call)
        start = self.source.span(statement)[0]
        head = self.source.data[self.source.data.rfind(b"\n", 0, start) + 1 : start].decode()
        loop = (
            f"for index, address in enumerate({self.source.code(bindings.value)}):{self.source.newline}"
            f"{head}    {self.object}.set_tensor_address({self.object}.engine.get_tensor_name(index), int(address))"
            f"{self.source.newline}{head}"
        )
        self.source.insert(start, loop)
        self.source.replace(self.call, f"{self.object}.execute_async_v3({self.source.code(stream.value)})")
        return True

    def _filled(self, text: str) -> str:
        plain = arguments.positional(self.call) if self.call is not None else []
        named = {
            arg.keyword.value: arg.value
            for arg in (self.call.args if self.call is not None else ())
            if arg.keyword is not None
        }
        values = [arg.value for arg in plain] + [named[key] for key in _KEYS.get(self.row.name, ()) if key in named]
        inside = ", ".join(self.source.code(arg) for arg in (self.call.args if self.call is not None else ()))
        inside = inside.replace(",,", ",")
        if self.call is not None and self.call.args:
            first, last = self.call.args[0], self.call.args[-1]
            inside = self.source.data[self.source.span(first)[0] : self.source.span(last.value)[1]].decode()
        text = text.replace("{self}", self.object).replace("{trt}", self.trt).replace("{*}", inside)
        if "{logger}" in text:
            text = text.replace("{logger}", self._logger())
        if "{config}" in text:
            text = text.replace("{config}", self._config())
        if "{bindings}" in text:
            given = arguments.given(self.call, "bindings", 1) if self.call is not None else None
            text = text.replace("{bindings}", self.source.code(given.value)) if given is not None else text
        for at, value in enumerate(values):
            if f"{{{at}}}" in text or f"{{name:{at}}}" in text:
                now = self.source.edited(value)
                text = text.replace(f"{{{at}}}", now).replace(f"{{name:{at}}}", self._tensor(value, now))
        return text

    def _tensor(self, value: cst.BaseExpression, text: str) -> str:
        """An argument that may be a binding's number, as a tensor's name."""
        engine = self.object if self.row.owner == "ICudaEngine" else f"{self.object}.engine"
        if isinstance(value, cst.Call) and dotted_text(value.func).endswith(".get_binding_index") and value.args:
            return self.source.code(value.args[0].value)
        kind = trttypes.index_or_name(self.flow, self.source, value)
        if kind == "name":
            return text
        if kind == "index":
            return f"{engine}.get_tensor_name({text})"
        return f"{text} if isinstance({text}, str) else {engine}.get_tensor_name({text})"

    def _logger(self) -> str:
        """The logger that the builder was made with, where it can be named here; else a new one."""
        for origin in self.flow.origins(self.source, self.node.value):
            if isinstance(origin.node, cst.Call) and origin.node.args and origin.source is self.source:
                given = origin.node.args[0].value
                text = self.source.code(given)
                if isinstance(given, cst.Name) and self._is_visible(given):
                    return text
                if isinstance(given, cst.Attribute) and text.startswith("self."):
                    return text
        return f"{self.trt}.Logger()"

    def _is_visible(self, name: cst.Name) -> bool:
        scope = self.source.scope(self.node)
        return scope is not None and name.value in scope and scope[name.value] == self.source.scope(name)[name.value]

    def _config(self) -> str:
        """The builder's config in this function; one is made behind the builder where there is none."""
        for call in self.source.find(cst.Call):
            if isinstance(call.func, cst.Attribute) and call.func.attr.value == "create_builder_config":
                up = self.source.parent(call)
                if isinstance(up, cst.Assign) and self.source.above(call, cst.FunctionDef) is self.source.above(
                    self.node, cst.FunctionDef
                ):
                    return self.source.code(up.targets[0].target)
                if isinstance(up, cst.WithItem) and up.asname is not None:
                    return self.source.code(up.asname.name)
        self._make_config()
        return "config"

    def _make_config(self) -> None:
        text = f"config = {self.object}.create_builder_config(){self.source.newline}"
        if any(edit.text.startswith("config = ") for edit in self.source.edits):
            return
        first = next(
            node for node in self.source.find(cst.Attribute)
            if self.source.code(node.value) == self.object
            and self.source.above(node, cst.FunctionDef) is self.source.above(self.node, cst.FunctionDef)
            and node.attr.value != "create_network"
        )  # fmt: skip
        start = self.source.span(self.source.statement(first))[0]
        head = self.source.data[self.source.data.rfind(b"\n", 0, start) + 1 : start].decode()
        self.source.insert(start, text + head)


_KEYS = {
    "build_engine": ("network", "config"), "build_cuda_engine": ("network",),
    "get_binding_shape": ("index", "binding", "name"),
    "get_binding_dtype": ("index", "name"), "binding_is_input": ("index", "name"), "get_binding_index": ("name",),
    "set_binding_shape": ("binding", "index", "shape"), "get_profile_shape": ("profile_index", "binding"),
}  # fmt: skip


def _loops(flow: Flow) -> None:
    """``for name in engine`` gave the tensors' names; it is written out, for newer engines are not iterated."""
    for source in flow.project.sources():
        for loop in source.find(cst.For, cst.CompFor):
            over: cst.BaseExpression = loop.iter
            if isinstance(over, cst.Call) and dotted_text(over.func) == "enumerate" and over.args:
                over = over.args[0].value
            if not isinstance(over, cst.Name | cst.Attribute) or not flow.project.may_change(source):
                continue
            if "ICudaEngine" in trttypes.kinds(flow, source, over):
                text = source.code(over)
                source.replace(over, f"[{text}.get_tensor_name(i) for i in range({text}.num_io_tensors)]")
