"""Names that stand twice in an ONNX model: finding them, and giving every tensor a name of its own.

A tensor that several nodes write is read as a program would read a variable: each reader gets the nearest
writer before it. Where that cannot be told (a reader before every writer, stored tensors of one name with
different values), nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

from triage.onnxgraph import fitting, naming, order, recast, walk
from triage.onnxgraph.liveness import UNREADABLE, discard

_MOST_WAYS = 64  # ways to hand out tensors of one name that are looked at
_RANDOM = ("Random", "Bernoulli", "Multinomial", "Dropout")


class Mending:
    """Takes doubles out of a model, in place.

    ``done`` says what was changed, ``refused`` what cannot be told, ``names`` how many nodes got another name.
    ``shadowed`` are stored tensors whose name a node writes too: readers after that node get what it writes,
    or with ``stored_wins`` what is stored. ``unread`` are stored tensors of one name, other values and other sizes of
    which nothing can read one: whether it is a leftover stands nowhere.
    """

    def __init__(self, model: Any, folder: str, *, stored_wins: bool = False) -> None:
        self.done: list[str] = []
        self.refused: list[str] = []
        self.names = 0
        self.shadowed: list[str] = []
        self.unread: list[str] = []
        self._model = model
        self._folder = folder
        self._stored_wins = stored_wins
        self._taken = walk.names(model)
        self._nodes = naming.node_names(model)
        self._metadata(model)
        for start in (model.graph, *model.functions):
            self._body(start, {}, set())
        for body in walk.bodies(model):
            self._name_nodes(body)

    def _body(self, body: Any, around: dict[str, str], seen: set[str]) -> None:
        """Mends a graph or function; ``around`` renames what it reads from outside, ``seen`` is visible there."""
        if hasattr(body, "initializer"):
            self._listed_inputs(body)
            self._stored(body)
        self._attributes(body)
        self._equal_nodes(body)
        self._rename(body, around, seen)

    def _metadata(self, model: Any) -> None:
        seen: dict[str, str] = {}
        doubles = []
        for each in model.metadata_props:
            if each.key not in seen:
                seen[each.key] = each.value
            elif seen[each.key] == each.value:
                doubles.append(each)
            else:
                each.key = naming.fresh(each.key, set(seen))
                seen[each.key] = each.value
                self.done.append(f"the metadata key {each.key} stood twice")
        self._drop(model.metadata_props, doubles, f"the metadata key {doubles[0].key} stood twice" if doubles else "")

    def _drop(self, repeated: Any, items: list[Any], told: str) -> None:
        if items:
            discard(repeated, items)
            self.done.append(told)

    def _listed_inputs(self, graph: Any) -> None:
        first: dict[str, Any] = {}
        doubles = []
        for value in graph.input:
            kept = first.setdefault(value.name, value)
            if kept is value:
                continue
            if kept.type == value.type:
                doubles.append(value)
            else:
                self.refused.append(f"the input {value.name} stands twice with different types or shapes")
        self._drop(graph.input, doubles, f"the input {doubles[0].name} stood twice" if doubles else "")

    def _stored(self, graph: Any) -> None:
        groups: dict[str, list[Any]] = {}
        for tensor in graph.initializer:
            groups.setdefault(tensor.name, []).append(tensor)
        for name, tensors in groups.items():
            if len(tensors) < 2 or not name:
                continue
            equal = all(self._same(tensors[0], other) for other in tensors[1:])
            unread = not recast.readers(graph, name)
            if equal or unread:
                discard(graph.initializer, tensors[1:])
                self.done.append(f"the initializer {name} stood {len(tensors)} times")
            elif self._told_apart(graph, name, tensors):
                self.done.append(f"each reader of the initializer {name} takes only one of {len(tensors)}")
                self.unread += [name] if any(not recast.readers(graph, each.name) for each in tensors) else []
            else:
                self.refused.append(f"the initializer {name} stands {len(tensors)} times with different values")

    def _told_apart(self, graph: Any, name: str, tensors: list[Any]) -> bool:
        """Gives the tensors names of their own where their sizes leave each reader only one of them."""
        places = list(_places(graph, name))
        if len(tensors) ** len(places) > _MOST_WAYS or recast.readers(graph, name) != len(places):
            return False
        names = [name, *(naming.fresh(name, self._taken) for _ in tensors[1:])]
        for tensor, own in zip(tensors, names, strict=True):
            tensor.name = own
        legal = [way for way in product(names, repeat=len(places)) if self._fits(places, way)]
        way = legal[0] if len(legal) == 1 else (name,) * len(places)
        for (node, slot), own in zip(places, way, strict=True):
            node.input[slot] = own
        for tensor in tensors if len(legal) != 1 else ():
            tensor.name = name
        return len(legal) == 1

    def _fits(self, places: list[tuple[Any, int]], way: tuple[str, ...]) -> bool:
        for (node, slot), own in zip(places, way, strict=True):
            node.input[slot] = own
        return fitting.fits(self._model)

    def _same(self, one: Any, other: Any) -> bool:
        import onnx

        if one.data_type != other.data_type or list(one.dims) != list(other.dims):
            return False
        if one.SerializeToString() == other.SerializeToString():
            return True
        try:
            return bool(recast.array(one, self._folder).tobytes() == recast.array(other, self._folder).tobytes())
        except (*UNREADABLE, onnx.checker.ValidationError):  # what cannot be read is not known to be the same
            return False

    def _attributes(self, body: Any) -> None:
        for node in body.node:
            counted = Counter(each.name for each in node.attribute)
            for name in [name for name, count in counted.items() if count > 1]:
                found = [each for each in node.attribute if each.name == name]
                if all(each == found[0] for each in found):
                    discard(node.attribute, found[1:])
                    self.done.append(f"{naming.label(node)} had its attribute {name} twice")
                else:
                    self.refused.append(f"{naming.label(node)} has its attribute {name} twice with different values")

    def _equal_nodes(self, body: Any) -> None:
        """The same node twice computes the same: one is enough."""
        counted = Counter(name for node in body.node for name in node.output if name)
        first: dict[bytes, Any] = {}
        doubles: list[Any] = []
        for node in body.node:
            many = [name for name in node.output if counted[name] > 1]
            if not many or any(counted[name] > 1 for name in node.input) or node.op_type.startswith(_RANDOM):
                continue
            kept = first.setdefault(_what(node), node)
            if kept is not node:
                doubles.append(node)
        self._drop(body.node, doubles, f"{naming.label(doubles[0])} stood twice" if doubles else "")

    def _rename(self, body: Any, around: dict[str, str], seen: set[str]) -> None:
        """Each writer of a tensor gets a name of its own; what the outputs of the main graph are called stays."""
        given = order.given(body) if hasattr(body, "initializer") else set(body.input)
        ends = set() if seen else {value if isinstance(value, str) else value.name for value in body.output}
        counted = Counter(name for node in body.node for name in node.output if name)
        doubles = {name for name, count in counted.items() if count + (name in given) + (name in seen) > 1}
        if doubles and not self._can_be_told(body, given | seen, doubles, ends):
            doubles = set()
        now = {name: new for name, new in around.items() if name not in given} | self._free(body, doubles & given, ends)
        last = {name: place for place, node in enumerate(body.node) for name in node.output}
        written = given | seen
        for place, node in enumerate(body.node):
            names = list(node.output)
            for slot, name in enumerate(node.input):
                node.input[slot] = now.get(name, name)
            for graph in order.subgraphs(node):
                self._body(graph, dict(now), set(written))
            for slot, name in enumerate(names):
                if name in doubles:
                    keeps = place == last[name] if name in ends else name not in written
                    node.output[slot] = name if keeps else naming.fresh(name, self._taken)
                    if not (self._stored_wins and name in given):
                        now[name] = node.output[slot]
            written.update(names)
        self._finish(body, doubles, now, bool(seen))

    def _free(self, body: Any, names: set[str], ends: set[str]) -> dict[str, str]:
        """Stored tensors that a node writes too; one whose name an output needs gets another."""
        found: dict[str, str] = {}
        for tensor in getattr(body, "initializer", ()):
            if tensor.name in names:
                self.shadowed.append(tensor.name)
            if tensor.name in names & ends:
                found[tensor.name] = naming.fresh(tensor.name, self._taken)
                tensor.name = found[tensor.name]
        return found

    def _finish(self, body: Any, doubles: set[str], now: dict[str, str], inner: bool) -> None:
        """Outputs of inner graphs follow the last writer; what was stored about doubles is forgotten."""
        for value in body.output if inner else ():
            value.name = now.get(value.name, value.name)
        stored = getattr(body, "value_info", ())
        discard(stored, [value for value in stored if value.name in doubles])
        self.done += [f"{name} was written more than once" for name in sorted(doubles)]

    def _can_be_told(self, body: Any, written: set[str], doubles: set[str], ends: set[str]) -> bool:
        """Says whether every reader has a writer before it, and every output can keep its name."""
        inputs = {value if isinstance(value, str) else value.name for value in body.input}
        both = sorted(doubles & inputs & ends)
        if both:
            self.refused.append(f"{both[0]} is an input and an output of the graph, and a node writes it")
            return False
        before = set(written)
        for node in body.node:
            early = sorted(name for name in order.reads(node) if name in doubles and name not in before)
            if early:
                self.refused.append(f"{early[0]} is written more than once, and {naming.label(node)} reads it before")
                return False
            before |= set(node.output)
        return True

    def _name_nodes(self, body: Any) -> None:
        seen: set[str] = set()
        for node in body.node:
            if node.name and node.name in seen:
                node.name = naming.fresh(node.name, self._nodes)
                self.names += 1
            seen.add(node.name)


def _places(graph: Any, name: str) -> Iterator[tuple[Any, int]]:
    """Every (node, place) that reads a tensor of a graph, in graphs inside it too."""
    for node in graph.node:
        yield from ((node, place) for place, each in enumerate(node.input) if each == name)
        for inner in order.subgraphs(node):
            if name not in order.given(inner):
                yield from _places(inner, name)


def _what(node: Any) -> bytes:
    copy = type(node)()
    copy.CopyFrom(node)
    for field in ("name", "doc_string"):
        copy.ClearField(field)
    return bytes(copy.SerializeToString(deterministic=True))
