"""Nodes that do not exist in the opset that their model declares: where they belong, and the ways to agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import schemas, types, versions, walk
from triage.onnxgraph.rewrite import label


class Stray(NamedTuple):
    """A node that is illegal at the declared opset: why, and the spans of opsets at which it is legal."""

    label: str
    why: str
    spans: list[tuple[int, int]]


class Way(NamedTuple):
    """One way to agree: ``how`` is ``nodes`` (they are converted), ``stamp`` (only the number changes) or ``both``.

    ``plain``: no other node changes its meaning.
    """

    how: str
    opset: int
    plain: bool = True


class Judge:
    """Tells at which opsets the nodes of a model are legal, looking at types and sizes of their inputs too."""

    def __init__(self, model: Any) -> None:
        self._types = types.inferred(model)

    def fault(self, node: Any, version: int) -> str | None:
        """What makes a node illegal at an opset; None where it is legal."""
        return (
            schemas.fault(node, version)
            or self._group_norm(node, version)
            or self._per_channel(node, version)
            or self._type_fault(node, version)
        )

    def legal(self, node: Any) -> list[tuple[int, int]]:
        """Spans of opsets at which a node is legal."""
        spans = [span for span in schemas.legal(node) for span in self._typed(node, span)]
        if node.op_type == "GroupNormalization" and spans:
            both = [(18, 20), (21, schemas.newest())]
            spans = [span for span in both if self._group_norm(node, span[0]) is None]
        if self._per_channel(node, 1):
            spans = [(max(first, 13), last) for first, last in spans if last >= 13]
        return spans

    def start(self, node: Any, declared: int) -> int:
        """Where a node has its meaning: at the declared opset, or at the nearest one where it is legal."""
        if self.fault(node, declared) is None:
            return declared
        ends = [end for span in self.legal(node) for end in span]
        return min(ends, key=lambda end: abs(end - declared), default=declared)

    def _typed(self, node: Any, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """The parts of a span at which the operator takes the types of the node."""
        marks = [span[0], *(since for since in schemas.editions(node.op_type) if span[0] < since <= span[1])]
        for first, following in zip(marks, [*marks[1:], span[1] + 1], strict=True):
            if self._type_fault(node, first) is None:
                yield first, following - 1

    def _type_fault(self, node: Any, version: int) -> str | None:
        told = schemas.schema(node.op_type, version)
        for place, name in enumerate(node.input):
            found = types.word(self._types.get(name)) if name else None
            slot = schemas.allowed(told, place) if found and told else None
            if slot and found not in slot[1]:
                return f"{node.op_type} takes no {found} at opset {version}"
        return None

    def _per_channel(self, node: Any, version: int) -> str | None:
        """Until opset 12 one scale held for a whole tensor."""
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or version >= 13 or len(node.input) < 2:
            return None
        scale = types.sizes(self._types.get(node.input[1]))
        if scale and len(scale) == 1 and (scale[0] or 0) > 1:
            return f"{node.op_type} takes one scale for a whole tensor at opset {version}"
        return None

    def _group_norm(self, node: Any, version: int) -> str | None:
        """Until opset 20 scale and bias have one value for each group, from 21 on one for each channel."""
        if node.op_type != "GroupNormalization" or len(node.input) < 3:
            return None
        groups = walk.value_of(node, "num_groups")
        image, scale = (types.sizes(self._types.get(name)) for name in node.input[:2])
        channels = image[1] if image and len(image) > 1 else None
        if not scale or not channels or channels == groups:
            return None
        if version >= 21 and scale == [groups]:
            return "GroupNormalization has a scale for each group, which ended with opset 21"
        if version < 21 and scale == [channels]:
            return "GroupNormalization has a scale for each channel, which began with opset 21"
        return None


def strays(model: Any) -> list[Stray]:
    """Nodes of ai.onnx that do not exist at the opset declared for them, but do at another."""
    found = []
    judge = Judge(model)
    for holder, body in _holders(model):
        declared = walk.version_of(holder.opset_import)
        if declared is None or declared > schemas.newest():
            continue
        for node in walk.of_domain(body.node):
            why = judge.fault(node, declared)
            spans = why and [span for span in judge.legal(node) if not span[0] <= declared <= span[1]]
            if why and spans:
                found.append(Stray(label(node), why, spans))
    return found


def ways(model: Any, highest: int | None, folder: str = "") -> list[Way]:
    """How the model can be made to agree, the best first.

    Args:
        model: the ModelProto.
        highest: the opset that the tool reads at most; None where it is not known.
        folder: where its external data lie.
    """
    judge = Judge(model)
    declared = walk.version_of(model.opset_import) or 0
    shared = common(model, judge)
    limit = min(highest or schemas.newest(), schemas.newest())
    higher = [version for version in shared if declared < version <= limit][:1]
    lower = [version for version in shared if version < declared][-1:]
    plain = {version: _unambiguous(model, declared, version, judge) for version in higher + lower}
    found = [Way("stamp", version) for version in higher if plain[version]]
    if declared and _convertible(model, declared, folder):
        found.append(Way("nodes", declared))
    found += [Way("stamp", version) for version in lower if plain[version]]
    for version in [version for version in higher + lower if not plain[version]]:
        found += [Way("both", version, plain=False), Way("stamp", version, plain=False)]
    return found


def agree(model: Any, way: Way, folder: str = "") -> None:
    """Makes the model agree, in place.

    Raises:
        versions.Unconvertible: a node has no form there.
    """
    if way.how == "stamp":
        for holder in (model, *model.functions):
            if walk.version_of(holder.opset_import) is not None:
                walk.set_version(holder, "", way.opset)
    else:
        _convert(model, way.opset, folder)


def common(model: Any, judge: Judge | None = None) -> list[int]:
    """Opsets at which every node is legal as it stands."""
    judge = judge or Judge(model)
    spans = (
        judge.legal(node) for _, body in _holders(model) for node in walk.of_domain(body.node)
        if schemas.editions(node.op_type)
    )  # fmt: skip
    return schemas.meeting(spans, schemas.newest())


def _holders(model: Any) -> Iterator[tuple[Any, Any]]:
    """(who declares the opset, graph or function) of every body of the model."""
    for body in walk.below(model.graph):
        yield model, body
    for function in model.functions:
        for body in walk.below(function):
            yield function, body


def _convertible(model: Any, target: int, folder: str) -> bool:
    copy = types.light_copy(model)
    try:
        _convert(copy, target, folder)
    except versions.Unconvertible:
        return False
    return True


def _convert(model: Any, target: int, folder: str) -> None:
    """Converts older nodes first, for their types are wanted where newer ones are written out."""
    judge = Judge(model)

    def older(node: Any, declared: int) -> int | None:
        begin = judge.start(node, declared)
        return begin if begin < declared else None

    versions.convert(model, None, older, folder=folder)
    versions.convert(model, target, Judge(model).start, folder=folder)


def _unambiguous(model: Any, declared: int, target: int, judge: Judge) -> bool:
    """Whether every node that is legal at both opsets means the same at both."""
    for _, body in _holders(model):
        for node in walk.of_domain(body.node):
            if judge.fault(node, declared) is None and not versions.plainly_same(node, declared, target):
                return False
    return True
