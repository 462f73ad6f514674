"""Works out parts of an ONNX graph that depend on nothing that is fed, and stores what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from triage.onnxgraph import evaluate, naming, order, shapes, walk

LIMIT = 64 << 20  # bytes that folding may add to a file
_NOT_FOLDED = {
    "Constant", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli",
    "Dropout",
}  # fmt: skip


class Folder:
    """Folds one graph; subgraphs get a folder of their own that knows what stands around them.

    Args:
        model: it is changed in place.
        wanted: says of a node whether it must go; what depends on it and is constant goes with it. None: all.
        folder: where external data lies.
    """

    def __init__(self, model: Any, wanted: Callable[[Any], bool] | None = None, folder: str | None = None) -> None:
        self.model = model
        self.folded: list[str] = []
        self.left: list[str] = []  # wanted and constant, yet not folded, with the reason
        self._wanted = wanted
        self._folder = folder
        self._taken = walk.names(model)
        self._added = 0

    def run(self) -> list[str]:
        """Folds everything it can; gives the names of the nodes that are gone."""
        self._graph(self.model.graph, {}, None)
        return self.folded

    def _graph(self, graph: Any, outside: Mapping[str, Any], around: shapes.Facts | None) -> None:
        facts = shapes.Facts(self.model, graph, around, folder=self._folder)
        known = _Known(self.model, graph, facts, outside, self._folder)
        gone: set[str] = set()  # outputs of nodes that are folded
        nodes = list(graph.node)
        place = 0
        while place < len(nodes):
            node = nodes[place]
            branch = self._branch(node, known)
            if branch is not None:
                nodes[place : place + 1] = self._unpacked(node, branch, graph, known)
                continue
            _learn(facts, node)
            values = self._value(node, known, gone)
            if values is None:
                for inner in order.subgraphs(node):
                    self._graph(inner, known.all(), facts)
            else:
                known.values |= values
                gone |= values.keys()
            place += 1
        self._write(graph, nodes, known, gone)

    def _value(self, node: Any, known: _Known, gone: set[str]) -> dict[str, Any] | None:
        """What a node gives, where it is to be folded."""
        if node.op_type in _NOT_FOLDED:
            return None
        reads = order.reads(node)
        if self._wanted is not None and not self._wanted(node) and not reads & gone:
            return None
        feeds = {name: known.get(name) for name in reads}
        static = [known.facts.value(name) for name in node.output if name]
        if node.op_type in ("Shape", "Size") and static and static[0] is not None:
            return {node.output[0]: static[0]}
        if any(value is None for value in feeds.values()):
            return None
        if not reads and node.op_type != "ConstantOfShape" and any(True for _ in order.subgraphs(node)):
            return None
        return self._run(node, feeds, known)

    def _run(self, node: Any, feeds: Mapping[str, Any], known: _Known) -> dict[str, Any] | None:
        opsets = {each.domain: each.version for each in self.model.opset_import}
        try:
            given = evaluate.run_node(node, feeds, opsets, careful=True)
        except evaluate.CannotRun as fault:
            self.left.append(f"{naming.label(node)}: {fault}")
            return None
        values = dict(zip([name for name in node.output if name], given, strict=False))
        for name, value in values.items():
            if not hasattr(value, "nbytes") or not self._fits(name, value, known):
                self.left.append(f"{naming.label(node)}: its value is no tensor, too large, or of another type")
                return None
        return values

    def _fits(self, name: str, value: Any, known: _Known) -> bool:
        """Whether it has the type that shape inference says, and the file does not grow too much."""
        from onnx import helper

        told = known.facts.dtype(name)
        self._added += value.nbytes
        return self._added <= LIMIT and told in (0, helper.np_dtype_to_tensor_dtype(value.dtype))

    def _branch(self, node: Any, known: _Known) -> Any:
        """The branch of an If whose condition is known."""
        if node.op_type != "If" or walk.domain_of(node.domain):
            return None
        condition = known.get(node.input[0])
        if condition is None or (self._wanted is not None and not self._wanted(node)):
            return None
        name = "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"
        return next(each.g for each in node.attribute if each.name == name)

    def _unpacked(self, node: Any, branch: Any, graph: Any, known: _Known) -> list[Any]:
        """The nodes of a branch, with names that are free out here."""
        renamed = {value.name: naming.fresh(value.name, self._taken) for value in branch.initializer}
        outputs = dict(zip((value.name for value in branch.output), node.output, strict=False))
        nodes = []
        for inner in branch.node:
            copy = type(inner)()
            copy.CopyFrom(inner)
            for name in inner.output:
                if name:
                    renamed[name] = outputs.pop(name, None) or naming.fresh(name, self._taken)
            _rename(copy, renamed)
            nodes.append(copy)
        for tensor in branch.initializer:
            added = graph.initializer.add()
            added.CopyFrom(tensor)
            added.name = renamed[tensor.name]
            known.facts.add_tensor(added)
            known.stored[added.name] = added
        for name, given in outputs.items():  # a branch that hands on what it has from outside
            extra = type(node)(op_type="Identity", input=[renamed.get(name, name)], output=[given])
            nodes.append(extra)
        self.folded.append(naming.label(node))
        return nodes

    def _write(self, graph: Any, nodes: list[Any], known: _Known, gone: set[str]) -> None:
        """Leaves folded nodes out and stores what others read of them."""
        from onnx import numpy_helper

        kept = [node for node in nodes if not any(name in gone for name in node.output)]
        self.folded += [naming.label(node) for node in nodes if any(name in gone for name in node.output)]
        read = {name for node in kept for name in order.reads(node)} | {value.name for value in graph.output}
        for name in sorted(gone & read):
            graph.initializer.append(numpy_helper.from_array(known.values[name], name))
        kept = _used(kept, graph, nodes) if gone else kept
        del graph.node[:]
        graph.node.extend(kept)


class _Known:
    """Values of a graph that no feed changes."""

    def __init__(
        self, model: Any, graph: Any, facts: shapes.Facts, outside: Mapping[str, Any], folder: str | None
    ) -> None:
        fixed = shapes.fixed_names(model, graph)
        self.stored = {tensor.name: tensor for tensor in graph.initializer if tensor.name in fixed}
        self.values: dict[str, Any] = {}
        self.facts = facts
        self._free = {value.name for value in graph.input} - fixed
        self._outside = outside
        self._folder = folder

    def get(self, name: str) -> Any:
        """The value; None where it depends on what is fed, or cannot be read."""
        from onnx import numpy_helper

        if name in self.values:
            return self.values[name]
        if name in self._free:
            return None
        if name in self.stored:
            try:
                return numpy_helper.to_array(self.stored[name], self._folder or "")
            except (OSError, ValueError, TypeError):
                return None
        found = self.facts.value(name)
        return found if found is not None else self._outside.get(name)

    def all(self) -> dict[str, Any]:
        """What a subgraph sees."""
        stored = {name: self.get(name) for name, tensor in self.stored.items() if tensor.ByteSize() < 1 << 20}
        return {**self._outside, **stored, **self.values}


def _learn(facts: shapes.Facts, node: Any) -> None:
    try:
        facts.learn(node)
    except shapes.Conflict:
        return


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """New names in a node and in what its subgraphs read from outside."""
    for place, name in enumerate(node.input):
        node.input[place] = names.get(name, name)
    for place, name in enumerate(node.output):
        node.output[place] = names.get(name, name)
    for graph in order.subgraphs(node):
        own = order.given(graph) | {name for inner in graph.node for name in inner.output}
        outer = {old: new for old, new in names.items() if old not in own}
        for inner in graph.node:
            _rename_reads(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)


def _rename_reads(node: Any, names: Mapping[str, str]) -> None:
    for place, name in enumerate(node.input):
        node.input[place] = names.get(name, name)
    for graph in order.subgraphs(node):
        own = order.given(graph) | {name for inner in graph.node for name in inner.output}
        for inner in graph.node:
            _rename_reads(inner, {old: new for old, new in names.items() if old not in own})


def _used(kept: list[Any], graph: Any, before: list[Any]) -> list[Any]:
    """Leaves out nodes that only folded nodes read; what no one read before stays."""
    read_before = {name for node in before for name in order.reads(node)} | {value.name for value in graph.output}
    wanted = {value.name for value in graph.output}
    result = []
    for node in reversed(kept):
        outputs = [name for name in node.output if name]
        if any(name in wanted or name not in read_before for name in outputs) or not outputs:
            result.append(node)
            wanted |= order.reads(node)
    return result[::-1]
