"""Whether two ONNX models compute the same by construction: compares graphs, runs nothing.

Each tensor gets a hash of how it comes about: operator (in the edition that the opset means), attributes, and the
hashes of its inputs; weights by their content. Equal hashes of all outputs mean the same operators on the same
weights in the same wiring, whatever the order and names of nodes, unused parts, IR version or declared shapes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any


class _Unclear(Exception):
    """The graph does not say without doubt what it computes."""


def same_computation(before: str, after: str) -> str:
    """Why the two files do not surely compute the same; empty where they do.

    Args:
        before: path of an ONNX file.
        after: path of the other.
    """
    try:
        one, two = _Graph.of_file(before), _Graph.of_file(after)
        if [kind for _, kind in one.inputs] != [kind for _, kind in two.inputs]:
            return "the inputs are others"
        hashes = one.outputs(), two.outputs()
    except (_Unclear, ValueError, OSError) as fault:
        return str(fault)
    if [name for name, _ in hashes[0]] != [name for name, _ in hashes[1]]:
        return "the outputs are named otherwise"
    different = [name for (name, a), (_, b) in zip(*hashes, strict=True) if a != b]
    return f"{', '.join(different)} is computed otherwise" if different else ""


class _Graph:
    """A graph with what surrounds it."""

    def __init__(
        self, graph: Any, opsets: Mapping[str, int], folder: str, functions: Mapping[tuple[str, str], str],
        outer: Mapping[str, str], depth: int = 0,
    ) -> None:  # fmt: skip
        self._graph = graph
        self._opsets = opsets
        self._folder = folder
        self._functions = functions
        self._depth = depth
        held: dict[str, str] = {}
        for tensor in graph.initializer:
            told = self._tensor(tensor)
            if held.setdefault(tensor.name, told) != told:
                raise _Unclear(f"two different weights are named {tensor.name}")
        self._writers = _writers(graph, held)
        self.inputs = [
            (value.name, value.type.tensor_type.elem_type) for value in graph.input if value.name not in held
        ]
        given = {name: _digest("input", str(depth), str(place)) for place, (name, _) in enumerate(self.inputs)}
        self._known = {"": "", **outer, **held, **given}

    @classmethod
    def of_file(cls, path: str) -> _Graph:
        from triage.onnxgraph.files import load

        model = load(path, weights=False)
        functions = {
            (function.domain, function.name): _digest(function.SerializeToString(deterministic=True).hex())
            for function in model.functions
        }
        opsets = {("" if one.domain == "ai.onnx" else one.domain): one.version for one in model.opset_import}
        return cls(model.graph, opsets, os.path.dirname(path), functions, {})

    def outputs(self) -> list[tuple[str, str]]:
        """(name, hash) of each output."""
        return [(value.name, self._hash(value.name)) for value in self._graph.output]

    def _hash(self, wanted: str) -> str:
        """The hash of a tensor; walks without recursion, for graphs are deep."""
        stack, open_names = [wanted], set()
        while stack:
            name = stack[-1]
            if name in self._known:
                stack.pop()
                continue
            if name not in self._writers:
                raise _Unclear(f"no node writes {name}")
            node, place = self._writers[name]
            missing = [each for each in _reads(node) if each not in self._known]
            if not missing:
                self._known[name] = self._node(node, place)
                open_names.discard(name)
                stack.pop()
            elif name in open_names:
                raise _Unclear("the graph has a cycle")
            else:
                open_names.add(name)
                stack.extend(missing)
        return self._known[wanted]

    def _node(self, node: Any, place: int) -> str:
        domain = "" if node.domain == "ai.onnx" else node.domain
        inputs = [self._known[name] for name in node.input]
        while inputs and not inputs[-1]:
            inputs.pop()
        attributes = sorted(self._attribute(one) for one in node.attribute)
        return _digest(domain, node.op_type, self._edition(domain, node.op_type), str(place), *inputs, *attributes)

    def _edition(self, domain: str, kind: str) -> str:
        """Since which opset the operator is what it is here; one that the opset does not know yet means its first."""
        if (domain, kind) in self._functions:
            return self._functions[domain, kind]
        import onnx

        version = self._opsets.get(domain, 1)  # what is not imported can only mean the first
        try:
            return str(onnx.defs.get_schema(kind, version, domain).since_version)
        except onnx.defs.SchemaError:
            editions = [one.since_version for one in onnx.defs.get_all_schemas_with_history()
                        if one.name == kind and one.domain == domain]  # fmt: skip
            return str(min(editions)) if editions else f"opset {version}"

    def _attribute(self, one: Any) -> str:
        if one.HasField("t"):
            return _digest(one.name, self._tensor(one.t))
        graphs = [*([one.g] if one.HasField("g") else ()), *one.graphs]
        if graphs:
            return _digest(one.name, *(self._inner(graph) for graph in graphs))
        copy = type(one)()
        copy.CopyFrom(one)
        copy.doc_string = ""
        return _digest(copy.SerializeToString(deterministic=True).hex())

    def _inner(self, graph: Any) -> str:
        inner = _Graph(graph, self._opsets, self._folder, self._functions, self._known, self._depth + 1)
        return _digest(str([kind for _, kind in inner.inputs]), *(told for _, told in inner.outputs()))

    def _tensor(self, tensor: Any) -> str:
        from onnx import TensorProto, numpy_helper

        shape = str(list(tensor.dims))
        if tensor.data_location == TensorProto.EXTERNAL:
            return _digest("tensor", str(tensor.data_type), shape, _external(tensor, self._folder))
        if tensor.data_type == TensorProto.STRING:
            return _digest("tensor", "string", shape, *(text.hex() for text in tensor.string_data))
        raw = tensor.HasField("raw_data")
        data = bytes(tensor.raw_data if raw else numpy_helper.to_array(tensor).tobytes())
        return _digest("tensor", str(tensor.data_type), shape, hashlib.sha256(data).hexdigest())


def _writers(graph: Any, held: Mapping[str, str]) -> dict[str, tuple[Any, int]]:
    found: dict[str, tuple[Any, int]] = {}
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name and (name in found or name in held):
                raise _Unclear(f"{name} is written twice")
            if name:
                found[name] = (node, place)
    return found


def _reads(node: Any) -> set[str]:
    from triage.onnxgraph.order import reads

    return reads(node)


def _external(tensor: Any, folder: str) -> str:
    """Hash of a weight's bytes in its data file."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    path = os.path.join(folder, told.get("location", ""))
    if not os.path.isfile(path):
        raise _Unclear(f"the weights of {tensor.name} are not there ({told.get('location')})")
    found = hashlib.sha256()
    for piece in _pieces(path, int(told.get("offset", 0)), int(told.get("length", -1))):
        found.update(piece)
    return found.hexdigest()


def _pieces(path: str, offset: int, length: int) -> Iterator[bytes]:
    left = length if length >= 0 else os.path.getsize(path) - offset
    with open(path, "rb") as stream:
        stream.seek(offset)
        while left > 0:
            piece = stream.read(min(left, 1 << 22))
            if not piece:
                raise _Unclear(f"{os.path.basename(path)} is shorter than its model says")
            left -= len(piece)
            yield piece


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
