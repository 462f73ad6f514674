"""Sets the graph optimisation level where a Python script makes its ONNX Runtime session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_PACKAGE = "onnxruntime"
_NAMES = (
    "onnxruntime.InferenceSession",
    "onnxruntime.capi.onnxruntime_inference_collection.InferenceSession",
)


class _Place(NamedTuple):
    """Where a session is made: call, options and statement as spans of bytes, and what the package is called there."""

    call: tuple[int, int]
    options: tuple[int, int] | None
    simple: bool
    statement: int
    package: str


def sessions(text: str) -> int:
    """How many sessions a script makes; 0 where it is no Python."""
    return len(list(_places(text)))


def with_level(text: str, level: str) -> str:
    """The script with every session at a level such as ``ORT_ENABLE_BASIC``.

    Raises:
        ValueError: there is no session in it.
    """
    places = sorted(_places(text), key=lambda place: place.call[0], reverse=True)
    if not places:
        raise ValueError("no session is made here")
    data = text.encode("utf-8", "surrogateescape")
    for place in places:
        data = _written(data, place, level)
    if any(place.package == _PACKAGE for place in places):
        data = _imported(data)
    return data.decode("utf-8", "surrogateescape")


def _written(data: bytes, place: _Place, level: str) -> bytes:
    name, lines = "session_options", []
    if place.options is not None:
        given = data[place.options[0] : place.options[1]].decode()
        if place.simple:
            name = given
        else:
            lines.append(f"{name} = {given}")
            data = data[: place.options[0]] + name.encode() + data[place.options[1] :]
    else:
        lines.append(f"{name} = {place.package}.SessionOptions()")
        end = place.call[1] - 1
        head = data[:end].rstrip()
        between = b"" if head.endswith(b"(") else b" " if head.endswith(b",") else b", "
        data = head + between + f"sess_options={name}".encode() + data[end:]
    lines.append(f"{name}.graph_optimization_level = {place.package}.GraphOptimizationLevel.{level}")
    start = data.rfind(b"\n", 0, place.statement) + 1
    indent = data[start : place.statement]
    return data[:start] + b"".join(indent + line.encode() + _newline(data) for line in lines) + data[start:]


def _imported(data: bytes) -> bytes:
    """The script with ``import onnxruntime`` where its other imports begin."""
    import libcst as cst
    from libcst import metadata

    wrapper = metadata.MetadataWrapper(cst.parse_module(data.decode("utf-8", "surrogateescape")), unsafe_skip_copy=True)
    spans = wrapper.resolve(metadata.ByteSpanPositionProvider)
    for statement in wrapper.module.body:
        code = wrapper.module.code_for_node(statement).strip()
        if code.startswith(("import ", "from ")) and not code.startswith("from __future__"):
            start = spans[statement].start
            return data[:start] + b"import onnxruntime" + _newline(data) + data[start:]
    return data


def _newline(data: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in data else b"\n"


def _places(text: str) -> Iterator[_Place]:
    import libcst as cst
    from libcst import metadata

    try:
        wrapper = metadata.MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    except (cst.ParserSyntaxError, RecursionError):
        return
    spans = wrapper.resolve(metadata.ByteSpanPositionProvider)
    parents = wrapper.resolve(metadata.ParentNodeProvider)
    qualified = wrapper.resolve(metadata.QualifiedNameProvider)
    for node in _walk(wrapper.module):
        if not isinstance(node, cst.Call) or not _makes_session(qualified, node):
            continue
        statement = _statement(node, parents)
        if statement is None:
            continue
        argument = _options(node)
        options = _span(spans, argument.value) if argument is not None else None
        simple = argument is not None and isinstance(argument.value, cst.Name | cst.Attribute)
        package = wrapper.module.code_for_node(node.func.value) if isinstance(node.func, cst.Attribute) else _PACKAGE
        yield _Place(_span(spans, node), options, simple, _span(spans, statement)[0], package)


def _makes_session(names: Any, call: Any) -> bool:
    found = names.get(call.func, ())
    found = found() if callable(found) else found
    return any(each.name in _NAMES for each in found)


def _statement(node: Any, parents: Any) -> Any:
    """The statement that a call stands in; None inside a lambda, where nothing can be put before it."""
    import libcst as cst

    while node in parents:
        parent = parents[node]
        if isinstance(parent, cst.Lambda | cst.SimpleStatementSuite):
            return None
        if isinstance(parent, cst.Module | cst.IndentedBlock):
            return node
        node = parent
    return None


def _options(call: Any) -> Any:
    """The argument that holds the options; None where there is none."""
    plain = [each for each in call.args if each.keyword is None and not each.star]
    named = [each for each in call.args if each.keyword is not None and each.keyword.value == "sess_options"]
    return named[0] if named else plain[1] if len(plain) > 1 else None


def _span(spans: Any, node: Any) -> tuple[int, int]:
    span = spans[node]
    return span.start, span.start + span.length


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _walk(child)
