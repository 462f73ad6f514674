"""Changing element types in an ONNX model: constants converted, Cast nodes put in, outputs cast back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from triage.onnxgraph import elements, naming, order, walk
from triage.onnxgraph.flow import Cast, End, Scope, constant_of, declared_type


class Out(NamedTuple):
    """A node gives another type than its readers expect: its output is cast back behind it."""

    graph: Any
    node: Any
    place: int
    gives: int
    want: int


class Edits(NamedTuple):
    """What is to be changed in a model; ``scopes`` are its types by the id of a graph.

    ``rounds``: floats are rounded on their way to whole numbers.
    """

    scopes: Mapping[int, Scope]
    casts: Sequence[Cast] = ()
    ends: Sequence[End] = ()
    declared: Sequence[tuple[Any, int]] = ()
    outs: Sequence[Out] = ()
    targets: Sequence[tuple[Any, int]] = ()
    rounds: bool = False


def array(tensor: Any, folder: str) -> Any:
    """The values of a TensorProto.

    Args:
        tensor: its data may lie in another file.
        folder: where such files lie.
    """
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor, folder)


def recast_tensor(tensor: Any, to: int, folder: str) -> None:
    """Turns a TensorProto into another type, in place; data from another file move into it."""
    from onnx import numpy_helper

    values = elements.converted(array(tensor, folder), to)
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def carry_out(model: Any, edits: Edits, folder: str) -> None:
    """Makes every change in the model that it was worked out for."""
    _Work(model, folder).do(edits)


class _Work:
    def __init__(self, model: Any, folder: str) -> None:
        self._model = model
        self._folder = folder
        self._names = walk.names(model)
        self._nodes = naming.node_names(model)
        self._listed = model.ir_version < 4  # then every initializer is an input too
        self._inserts: list[tuple[Any, int, Any]] = []
        self._made: dict[tuple[int, str, int], str] = {}
        self._places: dict[int, dict[int, int]] = {}

    def do(self, edits: Edits) -> None:
        flowing: list[Cast] = []
        fixed: dict[int, tuple[Any, str, list[Cast]]] = {}
        for cast in edits.casts:
            scope = edits.scopes[id(cast.graph)]
            while cast.name not in scope.types and scope.around:
                scope = scope.around
            if cast.name in scope.constants:
                fixed.setdefault(id(scope.constants[cast.name]), (scope.graph, cast.name, []))[2].append(cast)
            else:
                flowing.append(cast)
        for node, want in edits.targets:
            next(each for each in node.attribute if each.name == "to").i = want
        for scope in edits.scopes.values():
            _drop_stale(scope.graph, scope.types)
        for graph, name, casts in fixed.values():
            self._constant(graph, name, casts)
        for out in edits.outs:
            self._out(out)
        self._flow(flowing, rounds=edits.rounds)
        for graph, place, node in sorted(self._inserts, key=lambda each: -each[1]):
            graph.node.insert(place, node)
        for value, have in edits.declared:
            value.type.tensor_type.elem_type = have
        for end in edits.ends:
            self._end(end)

    def _place(self, graph: Any, node: Any) -> int:
        if id(graph) not in self._places:
            self._places[id(graph)] = {id(each): place for place, each in enumerate(graph.node)}
        return self._places[id(graph)][id(node)]

    def _out(self, out: Out) -> None:
        """The node writes a tensor of its own, and a Cast behind it gives what the readers know."""
        name = out.node.output[out.place]
        inside = naming.fresh(f"{name}_{elements.name(out.gives)}", self._names)
        out.node.output[out.place] = inside
        self._made[id(out.graph), name, out.gives] = inside
        self._inserts.append((out.graph, self._place(out.graph, out.node) + 1, self.cast_node(inside, name, out.want)))

    def _constant(self, graph: Any, name: str, casts: Sequence[Cast]) -> None:
        wants = {cast.want for cast in casts}
        if len(wants) == 1 and len(casts) == readers(graph, name):
            want = wants.pop()
            _retype(graph, name, want, self._folder)
            for value in (*graph.value_info, *(graph.input if self._listed else ())):
                if value.name == name:
                    value.type.tensor_type.elem_type = want
            return
        for want in sorted(wants):
            copy = self._copy(graph, name, want)
            for cast in casts:
                if cast.want == want:
                    cast.node.input[cast.place] = copy

    def _copy(self, graph: Any, name: str, want: int) -> str:
        """A second constant with the same values in another type."""
        from onnx import helper

        new = naming.fresh(f"{name}_{elements.name(want)}", self._names)
        for tensor in graph.initializer:
            if tensor.name == name:
                graph.initializer.add().CopyFrom(tensor)
                graph.initializer[-1].name = new
                recast_tensor(graph.initializer[-1], want, self._folder)
                if self._listed:
                    graph.input.append(helper.make_tensor_value_info(new, want, list(tensor.dims)))
                return new
        for place, node in enumerate(graph.node):
            if name in node.output:
                copy = type(node)()
                copy.CopyFrom(node)
                copy.output[0] = new
                copy.name = naming.fresh(f"{node.name or name}_{elements.name(want)}", self._nodes)
                _retype_node(copy, want)
                self._inserts.append((graph, place, copy))
                break
        return new

    def _flow(self, casts: Iterable[Cast], *, rounds: bool) -> None:
        """One Cast node for each tensor, type and graph, right before its first reader."""
        for cast in casts:
            key = (id(cast.graph), cast.name, cast.want)
            if key not in self._made:
                self._made[key] = naming.fresh(f"{cast.name}_{elements.name(cast.want)}", self._names)
                source, place = cast.name, self._place(cast.graph, cast.node)
                node = self.cast_node(source, self._made[key], cast.want)
                self._inserts.append((cast.graph, place, node))
                if rounds and elements.is_float(cast.have) and elements.is_integer(cast.want):
                    node.input[0] = naming.fresh(f"{source}_rounded", self._names)
                    self._inserts.append((cast.graph, place, self._round_node(source, node.input[0])))
            cast.node.input[cast.place] = self._made[key]

    def _round_node(self, source: str, target: str) -> Any:
        from onnx import helper

        return helper.make_node("Round", [source], [target], naming.fresh(f"Round_{target}", self._nodes))

    def cast_node(self, source: str, target: str, want: int) -> Any:
        """A Cast node with a free name."""
        from onnx import TensorProto, helper

        old = (walk.version_of(self._model.opset_import) or 0) < 6  # then types were written as words
        to = TensorProto.DataType.Name(want) if old else want
        return helper.make_node("Cast", [source], [target], naming.fresh(f"Cast_{target}", self._nodes), to=to)

    def _end(self, end: End) -> None:
        value = end.graph.output[end.place]
        name = value.name
        value.type.tensor_type.elem_type = end.want
        inside = naming.fresh(f"{name}_{elements.name(end.have)}", self._names)
        if any(name in node.output for node in end.graph.node):
            rename(end.graph, name, inside)
            end.graph.node.append(self.cast_node(inside, name, end.want))
        else:
            value.name = inside
            end.graph.node.append(self.cast_node(name, inside, end.want))


def readers(graph: Any, name: str) -> int:
    """How often a tensor of a graph is read: by its nodes, by those of inner graphs, as an output."""
    count = sum(bool(value.name == name) for value in graph.output)
    for node in graph.node:
        count += sum(bool(each == name) for each in node.input)
        for inner in order.subgraphs(node):
            if name not in order.given(inner):
                count += readers(inner, name)
    return count


def rename(graph: Any, name: str, new: str) -> None:
    """Renames a tensor for the node that writes it and for all that read it; a graph's own list of outputs stays."""
    for node in graph.node:
        _replace(node.input, name, new)
        _replace(node.output, name, new)
        for inner in order.subgraphs(node):
            if name not in order.given(inner):
                rename(inner, name, new)
                for value in inner.output:
                    if value.name == name:
                        value.name = new
    for each in (*graph.value_info, *graph.initializer):
        if each.name == name:
            each.name = new


def _replace(names: Any, old: str, new: str) -> None:
    for place, each in enumerate(names):
        if each == old:
            names[place] = new


def _retype(graph: Any, name: str, want: int, folder: str) -> None:
    for tensor in graph.initializer:
        if tensor.name == name:
            recast_tensor(tensor, want, folder)
    for node in graph.node:
        if name in node.output:
            _retype_node(node, want)


def _retype_node(node: Any, want: int) -> None:
    """A Constant node with its value in another type."""
    from onnx import helper, numpy_helper

    values = elements.converted(numpy_helper.to_array(constant_of(node)), want)
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(values, node.output[0])))


def _drop_stale(graph: Any, types: Mapping[str, int | None]) -> None:
    """Forgets stored types that are no longer true."""
    kept = [
        value
        for value in graph.value_info
        if types.get(value.name) is None or declared_type(value) in (None, types[value.name])
    ]
    if len(kept) != len(graph.value_info):
        copies = [type(value)() for value in kept]
        for copy, value in zip(copies, kept, strict=True):
            copy.CopyFrom(value)
        del graph.value_info[:]
        graph.value_info.extend(copies)


def accept(model: Any, name: str, element: int) -> None:
    """Makes an input of the main graph another type; behind it a Cast gives what the graph is made for."""
    graph = model.graph
    value = next(each for each in graph.input if each.name == name)
    own = value.type.tensor_type.elem_type
    inside = naming.fresh(f"{name}_{elements.name(own)}", walk.names(model))
    rename(graph, name, inside)
    value.type.tensor_type.elem_type = element
    graph.node.insert(0, _Work(model, "").cast_node(name, inside, own))


def give(model: Any, name: str, element: int) -> None:
    """Makes an output of the main graph another type, by a Cast at its end."""
    graph = model.graph
    place = next(place for place, each in enumerate(graph.output) if each.name == name)
    have = graph.output[place].type.tensor_type.elem_type
    carry_out(model, Edits({}, ends=[End(graph, place, have, element)]), "")


def rename_ports(model: Any, kind: str, names: Mapping[str, str]) -> None:
    """Renames inputs or outputs (``kind``) of the main graph; a tensor inside that has the new name gives way."""
    taken = walk.names(model)
    spare = {old: naming.fresh(f"{old}_renamed", taken) for old in names}  # two names may change places
    for old in names:
        _rename_port(model, kind, old, spare[old])
    for old, new in names.items():
        if new in walk.names(model):
            rename(model.graph, new, naming.fresh(new, taken))
        _rename_port(model, kind, spare[old], new)


def _rename_port(model: Any, kind: str, old: str, new: str) -> None:
    from onnx import helper

    graph = model.graph
    through = old in {value.name for value in (graph.output if kind == "input" else graph.input)}
    if kind == "input" or not through:
        rename(graph, old, new)
    if through:  # an input that is an output too keeps its other name
        source, target = (new, old) if kind == "input" else (old, new)
        graph.node.append(helper.make_node("Identity", [source], [target]))
    for value in graph.input if kind == "input" else graph.output:
        if value.name == old:
            value.name = new


def lead(model: Any, name: str, element: int) -> None:
    """Puts a Cast behind an input of the main graph, which keeps its type; the graph then reads the other type."""
    graph = model.graph
    inside = naming.fresh(f"{name}_{elements.name(element)}", walk.names(model))
    rename(graph, name, inside)
    graph.node.insert(0, _Work(model, "").cast_node(name, inside, element))
