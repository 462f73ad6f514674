"""Which TensorRT class an expression is, followed through the script."""

from __future__ import annotations

import libcst as cst

from triage.pysource.bindings import bindings, literal
from triage.pysource.flow import Flow
from triage.pysource.project import dotted_text
from triage.pysource.source import Source

_RETURNS = {
    "create_builder_config": "IBuilderConfig", "create_network": "INetworkDefinition",
    "build_engine": "ICudaEngine", "build_cuda_engine": "ICudaEngine", "build_engine_with_config": "ICudaEngine",
    "deserialize_cuda_engine": "ICudaEngine", "create_execution_context": "IExecutionContext",
    "create_execution_context_without_device_memory": "IExecutionContext", "get_plugin_registry": "IPluginRegistry",
    "add_convolution": "IConvolutionLayer", "add_convolution_nd": "IConvolutionLayer",
    "add_deconvolution": "IDeconvolutionLayer", "add_deconvolution_nd": "IDeconvolutionLayer",
    "add_pooling": "IPoolingLayer", "add_pooling_nd": "IPoolingLayer", "get_layer": "ILayer", "get_input": "ITensor",
    "get_output": "ITensor", "add_input": "ITensor",
}  # fmt: skip
_CLASSES = (
    "Builder",
    "Runtime",
    "OnnxParser",
    "Logger",
    "Refitter",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
)
_USUAL = {
    "builder": "Builder", "config": "IBuilderConfig", "builder_config": "IBuilderConfig", "engine": "ICudaEngine",
    "trt_engine": "ICudaEngine", "cuda_engine": "ICudaEngine", "context": "IExecutionContext",
    "trt_context": "IExecutionContext", "network": "INetworkDefinition", "runtime": "Runtime", "parser": "OnnxParser",
}  # fmt: skip


def kinds(flow: Flow, source: Source, node: cst.CSTNode) -> set[str]:
    """Names of the TensorRT classes that an expression may be of, or of the enum or module it is; empty: unknown."""
    found = set()
    for name in flow.all_dotted(source, node):
        if name == "tensorrt" or name.startswith("tensorrt."):
            found.add(name.rpartition(".")[2])
    for origin in flow.origins(source, node):
        kind = None if origin.keys else _of(flow, origin.source, origin.node)
        if kind is not None:
            found.add(kind)
    return found


def _of(flow: Flow, source: Source, node: cst.CSTNode) -> str | None:
    if isinstance(node, cst.Call):
        names = flow.all_dotted(source, node.func)
        last = names[0].rpartition(".")[2] if names else ""
        if names and names[0].startswith("tensorrt.") and last in _CLASSES:
            return last
        method = last or (node.func.attr.value if isinstance(node.func, cst.Attribute) else "")
        return _RETURNS.get(method)
    if isinstance(node, cst.Attribute) and node.attr.value == "engine":
        return "ICudaEngine" if "IExecutionContext" in kinds(flow, source, node.value) else None
    if isinstance(node, cst.Name):
        return _annotated(flow, source, node)
    return None


def _annotated(flow: Flow, source: Source, node: cst.Name) -> str | None:
    for assignment in bindings(source, node):
        param = getattr(assignment, "node", None)
        if isinstance(param, cst.Param) and param.annotation is not None:
            inner = param.annotation.annotation
            text = literal(inner) if isinstance(inner, cst.SimpleString) else None
            names = [text] if isinstance(text, str) else flow.all_dotted(source, inner)
            for name in names:
                if name.startswith(("tensorrt.", "trt.")):
                    return name.rpartition(".")[2]
    return None


def is_other(flow: Flow, source: Source, node: cst.CSTNode, owner: str) -> bool:
    """Whether an unknown object is, by its usual name, of another class than the owner, or is no TensorRT object."""
    text = dotted_text(node).rpartition(".")[2].lower().lstrip("_")
    usual = _USUAL.get(text)
    if usual is not None:
        return usual != owner
    names = flow.all_dotted(source, node)
    return any(not name.startswith("tensorrt") and "." in name for name in names)


def in_script(flow: Flow, source: Source) -> bool:
    """Whether TensorRT is used in this file, or in one that works with it."""
    return b"tensorrt" in source.data or any(b"tensorrt" in one.data for one in flow.project.sources())


def index_or_name(flow: Flow, source: Source, value: cst.BaseExpression) -> str | None:
    """Whether an expression is a number (``index``) or a text (``name``); None where neither is certain."""
    told = literal(value)
    if isinstance(told, int):
        return "index"
    if isinstance(told, str):
        return "name"
    if isinstance(value, cst.Name):
        for assignment in bindings(source, value):
            kind = _loop_kind(flow, source, getattr(assignment, "node", None))
            if kind is not None:
                return kind
    found = {_kind_of(flow, origin.source, origin.node) for origin in flow.origins(source, value)}
    return found.pop() if len(found) == 1 else None


def _kind_of(flow: Flow, source: Source, node: cst.CSTNode) -> str | None:
    told = literal(node)
    if isinstance(told, bool):
        return None
    if isinstance(told, int | str):
        return "index" if isinstance(told, int) else "name"
    if isinstance(node, cst.FormattedString):
        return "name"
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        return {"get_binding_name": "name", "get_tensor_name": "name", "get_binding_index": "index"}.get(
            node.func.attr.value
        )
    return None


def _loop_kind(flow: Flow, source: Source, target: cst.CSTNode | None) -> str | None:
    """What a loop's variable holds: numbers of range() and enumerate(), names of an engine."""
    loop = source.above(target, cst.For, cst.CompFor) if target is not None else None
    if loop is None or target is None:
        return None
    inside = target is loop.target or source.above(target, cst.Tuple) is loop.target
    if not inside:
        return None
    if isinstance(loop.iter, cst.Call):
        name = dotted_text(loop.iter.func)
        first = isinstance(loop.target, cst.Tuple) and loop.target.elements[0].value is target
        if name == "range" or (name == "enumerate" and first):
            return "index"
        if (
            name == "enumerate"
            and loop.iter.args
            and "ICudaEngine" in _engine_like(flow, source, loop.iter.args[0].value)
        ):
            return "name"
        return None
    return "name" if "ICudaEngine" in _engine_like(flow, source, loop.iter) else None


def _engine_like(flow: Flow, source: Source, node: cst.CSTNode) -> set[str]:
    found = kinds(flow, source, node)
    text = dotted_text(node).rpartition(".")[2].lower()
    return found or ({"ICudaEngine"} if text.endswith("engine") else set())
