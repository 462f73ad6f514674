"""Element types as they flow through an ONNX model, worked out node by node; broken graphs are survived.

A node whose inputs disagree is asked about (``settle``): what it answers is noted as a cast on the way into
the node, and the walk goes on with the types as they then are. So one walk finds every conflict of a model.
Where nothing is known of an operator, the declared type of its output is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from triage.onnxgraph import elements, order
from triage.onnxgraph.signatures import Signature, Slot, schema, signature, versions

Types = list[int | None]
_LIKE = ("EyeLike", "RandomNormalLike", "RandomUniformLike", "Bernoulli")  # of the input's type where none is told


class Value(NamedTuple):
    """A tensor at the place where a node reads it; ``constant`` is its TensorProto where it is one."""

    place: int
    name: str
    element: int
    constant: Any = None


class Ask(NamedTuple):
    """Inputs of a node that must share a type; ``hint`` is what the outputs of that type are declared as."""

    graph: Any
    node: Any
    slot: Slot
    values: tuple[Value, ...]
    hint: int | None = None


class Cast(NamedTuple):
    """A tensor needs another type on its way into a node."""

    graph: Any
    node: Any
    place: int
    name: str
    have: int
    want: int


class End(NamedTuple):
    """An output of a graph needs another type."""

    graph: Any
    place: int
    have: int
    want: int


class Declared(NamedTuple):
    """An input or output of a graph is declared as another type than it has."""

    graph: Any
    value: Any
    have: int
    output: bool


Settle = Callable[[Ask], int | None]


class Scope:
    """Types and constants of one graph, and those that it sees around it."""

    def __init__(self, graph: Any, around: Scope | None = None) -> None:
        self.graph = graph
        self.around = around
        self.types: dict[str, int | None] = {}
        self.constants: dict[str, Any] = {}

    def type_of(self, name: str) -> int | None:
        """The element type of a visible tensor; None where it is unknown."""
        if name in self.types:
            return self.types[name]
        return self.around.type_of(name) if self.around else None

    def constant(self, name: str) -> Any:
        """The TensorProto of a visible constant, or None."""
        if name in self.types:
            return self.constants.get(name)
        return self.around.constant(name) if self.around else None


class Walk:
    """One walk through a model.

    ``casts``, ``ends`` and ``declared`` are what it found; ``scopes`` the types by the id of a graph;
    ``unsettled`` the conflicts for which ``settle`` knew no answer.
    """

    def __init__(self, model: Any, settle: Settle) -> None:
        self.casts: list[Cast] = []
        self.ends: list[End] = []
        self.declared: list[Declared] = []
        self.unsettled: list[Ask] = []
        self.scopes: dict[int, Scope] = {}
        self.opsets = versions(model)
        self._settle = settle
        self._overridable = model.ir_version >= 4
        self.scope = Scope(model.graph)
        for value in model.graph.input:
            self.scope.types[value.name] = declared_type(value)
        self._graph(self.scope)
        for value in model.graph.output:
            have, told = self.scope.type_of(value.name), declared_type(value)
            if have is not None and told is not None and have != told:
                self.declared.append(Declared(model.graph, value, have, output=True))

    def _graph(self, scope: Scope) -> None:
        graph = scope.graph
        self.scopes[id(graph)] = scope
        given = {value.name for value in graph.input} if self._overridable else set()
        for tensor in graph.initializer:
            scope.types[tensor.name] = tensor.data_type or None
            if tensor.name not in given:
                scope.constants[tensor.name] = tensor
        told = {value.name: declared_type(value) for value in (*graph.value_info, *graph.output)}
        for node in graph.node:
            for name, element in zip(node.output, self._node(scope, node, told), strict=True):
                scope.types[name] = element if element is not None else told.get(name)
            constant = constant_of(node)
            if constant is not None:
                scope.constants[node.output[0]] = constant

    def _node(self, scope: Scope, node: Any, told: Mapping[str, int | None]) -> Types:
        form = signature(node, self.opsets)
        if form is None:
            for inner in order.subgraphs(node):
                self._graph(Scope(inner, scope))
            return [None] * len(node.output)
        bound = self._inputs(scope, node, form, told)
        if node.op_type in ("If", "Loop", "Scan"):
            return self._nested(scope, node)
        return [self._output(scope, node, form, place, bound) for place in range(len(node.output))]

    def _inputs(
        self, scope: Scope, node: Any, form: Signature, told: Mapping[str, int | None]
    ) -> dict[str, int | None]:
        groups: dict[object, tuple[Slot, list[Value]]] = {}
        for place, name in enumerate(node.input):
            slot, element = form.of_input(place), scope.type_of(name) if name else None
            if slot and slot.allowed and element is not None:
                key = slot.variable or place
                groups.setdefault(key, (slot, []))[1].append(Value(place, name, element, scope.constant(name)))
        bound: dict[str, int | None] = {}
        for slot, values in groups.values():
            target = self._agreed(Ask(scope.graph, node, slot, tuple(values), _hint(node, form, slot, told)))
            if slot.variable:
                bound[slot.variable] = target
        return bound

    def _agreed(self, ask: Ask) -> int | None:
        """The type that the values of a group end up with."""
        present = {value.element for value in ask.values}
        if len(present) == 1 and present <= ask.slot.allowed:
            return present.pop()
        target = self._settle(ask)
        if target is None:
            self.unsettled.append(ask)
            return None
        for value in ask.values:
            if value.element != target:
                self.casts.append(Cast(ask.graph, ask.node, value.place, value.name, value.element, target))
        return target

    def _output(
        self, scope: Scope, node: Any, form: Signature, place: int, bound: Mapping[str, int | None]
    ) -> int | None:
        slot = form.of_output(place)
        if slot is None or not slot.allowed or not node.output[place]:
            return None
        if slot.variable in bound:
            return bound[slot.variable]
        if len(slot.allowed) == 1:
            return next(iter(slot.allowed))
        told = _by_attribute(node, schema(node, self.opsets))
        return scope.type_of(node.input[0]) if told is None and node.op_type in _LIKE else told

    def _nested(self, scope: Scope, node: Any) -> Types:
        bodies = list(order.subgraphs(node))
        if node.op_type == "If":
            return self._branches(scope, node, bodies)
        if len(bodies) != 1:
            return [None] * len(node.output)
        return self._loop(scope, node, bodies[0]) if node.op_type == "Loop" else self._scan(scope, node, bodies[0])

    def _branches(self, scope: Scope, node: Any, bodies: Sequence[Any]) -> Types:
        for body in bodies:
            self._graph(Scope(body, scope))
        found: Types = []
        for place in range(len(node.output)):
            types = [self._end(body, place) for body in bodies]
            known = [each for each in types if each is not None]
            target = known[0] if len(known) == len(bodies) else None
            if target is not None and len(set(known)) > 1:
                values = tuple(Value(place, "", each) for each in known)
                hint = declared_type(bodies[0].output[place])
                target = self._settle(Ask(scope.graph, node, Slot("V", frozenset(elements.WIDEST)), values, hint))
            found.append(target)
            for body in bodies:
                self._close(body, place, target)
        return found

    def _end(self, body: Any, place: int) -> int | None:
        return self.scopes[id(body)].type_of(body.output[place].name) if place < len(body.output) else None

    def _close(self, body: Any, place: int, want: int | None) -> None:
        """An output of a body gets the type that the node around needs, and says so."""
        have = self._end(body, place)
        if have is None or want is None:
            return
        if have != want:
            self.ends.append(End(body, place, have, want))
        elif declared_type(body.output[place]) not in (None, want):
            self.declared.append(Declared(body, body.output[place], want, output=True))

    def _loop(self, scope: Scope, node: Any, body: Any) -> Types:
        first: dict[int, int | None] = {0: elements.INT64, 1: elements.BOOL}
        states = self._states(scope, node, body, range(2, len(node.input)), (2, 1), first)
        self._close(body, 0, elements.BOOL)
        scans = [self._end(body, place) for place in range(1 + len(states), len(body.output))]
        return _padded([*states, *scans], len(node.output))

    def _scan(self, scope: Scope, node: Any, body: Any) -> Types:
        if self.opsets.get("", 0) < 9:  # its inputs were others then
            self._graph(Scope(body, scope))
            return [None] * len(node.output)
        count = next((each.i for each in node.attribute if each.name == "num_scan_inputs"), 1)
        held = max(0, len(node.input) - count)
        first = {place: scope.type_of(node.input[place]) for place in range(held, len(node.input))}
        states = self._states(scope, node, body, range(held), (0, 0), first)
        scans = [self._end(body, place) for place in range(held, len(body.output))]
        return _padded([*states, *scans], len(node.output))

    def _states(
        self, scope: Scope, node: Any, body: Any, places: range, skips: tuple[int, int], first: Mapping[int, int | None]
    ) -> Types:
        """Types of values that a body hands on from turn to turn; ``skips`` are its inputs and outputs before them."""
        want: Types = []
        for turn, place in enumerate(places):
            told = declared_type(body.input[skips[0] + turn]) if skips[0] + turn < len(body.input) else None
            want.append(_wider(scope.type_of(node.input[place]), told))
        found: tuple[list[Any], ...] = (self.casts, self.ends, self.declared, self.unsettled)
        marks = [len(each) for each in found]
        for _ in range(3):  # a state that becomes wider inside is tried again as that
            for each, mark in zip(found, marks, strict=True):
                del each[mark:]
            inner = Scope(body, scope)
            for number, value in enumerate(body.input):
                turn = number - skips[0]
                inner.types[value.name] = want[turn] if 0 <= turn < len(want) else first.get(number)
            self._graph(inner)
            wider = [_wider(each, self._end(body, skips[1] + turn)) for turn, each in enumerate(want)]
            if wider == want:
                break
            want = wider
        for turn, place in enumerate(places):
            self._hold(scope, node, body, (place, skips[0] + turn, skips[1] + turn), want[turn])
        for number, have in first.items():
            if number < len(body.input) and have and declared_type(body.input[number]) not in (None, have):
                self.declared.append(Declared(body, body.input[number], have, output=False))
        return want

    def _hold(self, scope: Scope, node: Any, body: Any, places: tuple[int, int, int], want: int | None) -> None:
        """What goes in, what the body calls it and what comes out get one type."""
        have = scope.type_of(node.input[places[0]])
        if want is None or have is None:
            return
        if have != want:
            self.casts.append(Cast(scope.graph, node, places[0], node.input[places[0]], have, want))
        if places[1] < len(body.input) and declared_type(body.input[places[1]]) not in (None, want):
            self.declared.append(Declared(body, body.input[places[1]], want, output=False))
        self._close(body, places[2], want)


def declared_type(value: Any) -> int | None:
    """The element type that a ValueInfoProto declares; None where it declares none."""
    if value.type.HasField("tensor_type"):
        return value.type.tensor_type.elem_type or None
    return None


def constant_of(node: Any) -> Any:
    """The tensor of a Constant node, whichever attribute holds it; None for other nodes."""
    from onnx import numpy_helper

    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    for each in node.attribute:
        if each.name == "value":
            return each.t
        if each.name in ("value_float", "value_floats", "value_int", "value_ints"):
            return numpy_helper.from_array(_plain(each), node.output[0])
    return None


def plain(model: Any) -> Walk:
    """The types as they are: conflicts are left open."""
    return Walk(model, lambda _: None)


def _plain(attribute: Any) -> Any:
    import numpy as np

    kind = np.float32 if "float" in attribute.name else np.int64
    single = {"value_float": attribute.f, "value_int": attribute.i}
    many = attribute.floats if "float" in attribute.name else attribute.ints
    return np.array(single.get(attribute.name, list(many)), dtype=kind)


def _hint(node: Any, form: Signature, slot: Slot, told: Mapping[str, int | None]) -> int | None:
    for place, name in enumerate(node.output):
        out = form.of_output(place)
        if out and slot.variable and out.variable == slot.variable and told.get(name):
            return told[name]
    return None


def _by_attribute(node: Any, found: Any) -> int | None:
    """The output type that an attribute or its default names."""
    own = {each.name: each for each in node.attribute}
    for name in ("to", "dtype", "output_dtype", "output_datatype"):
        default = found.attributes[name].default_value.i if found and name in found.attributes else 0
        element = own[name].i if name in own else default
        if element:
            return int(element)
    if "value" in own and own["value"].HasField("t"):
        return int(own["value"].t.data_type)
    constant = constant_of(node)
    if constant is not None:
        return int(constant.data_type)
    return {"ConstantOfShape": elements.FLOAT, "QuantizeLinear": elements.UINT8}.get(node.op_type)


def _wider(one: int | None, other: int | None) -> int | None:
    return elements.widest([one, other]) if one and other else one or other


def _padded(types: Types, length: int) -> Types:
    return (types + [None] * length)[:length]
