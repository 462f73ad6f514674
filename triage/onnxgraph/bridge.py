"""Nodes computed in another type than their surroundings, where the runtime has no kernel for theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from triage.onnxgraph import elements, kernels, recast
from triage.onnxgraph.elements import BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT32, INT64, UINT8
from triage.onnxgraph.flow import Cast, Scope, Walk, plain
from triage.onnxgraph.signatures import signature

_INSTEAD: dict[int, tuple[int, ...]] = {
    DOUBLE: (FLOAT,),
    FLOAT16: (FLOAT, DOUBLE),
    BFLOAT16: (FLOAT, DOUBLE),
    FLOAT: (DOUBLE,),
    INT64: (DOUBLE, FLOAT, INT32),
    INT32: (INT64, DOUBLE, FLOAT),
    BOOL: (UINT8, INT32, INT64, FLOAT),
}  # what may stand in for a type, the most exact first
_SMALL_INTEGERS = (INT32, INT64, FLOAT, DOUBLE)
_NESTED = ("If", "Loop", "Scan")


class Bridge(NamedTuple):
    """A node, its types by type variable, and those that it is to be computed in."""

    scope: Scope
    node: Any
    have: Mapping[str, int]
    want: Mapping[str, int]


def bridges(
    model: Any, folder: str, blamed: Callable[[Any, Mapping[str, int]], Collection[str]], *, parts: bool = False
) -> list[Bridge]:
    """Nodes without a kernel, with types in which there is one.

    Args:
        model: is not changed.
        folder: where its external data lie.
        blamed: given a node and its types, the type variables that the log blames; empty for other nodes.
        parts: what failed is a part of an operator that ONNX composes of others.
    """
    walk = plain(model)
    found = []
    for scope in walk.scopes.values():
        for node in scope.graph.node:
            have = _bound(walk, scope, node)
            if not have or node.op_type in _NESTED:
                continue
            must = blamed(node, have)
            if must or _lacking(walk, node, have, parts=parts):
                ways = _instead(walk, scope, node, have, folder)
                want = next((way for way in ways if all(way[name] != have[name] for name in must)), None)
                if want:
                    found.append(Bridge(scope, node, have, want))
    return found


def edits(model: Any, found: list[Bridge]) -> recast.Edits:
    """The casts round these nodes."""
    walk = plain(model)
    casts, outs = [], []
    for scope, node, have, want in found:
        form = signature(node, walk.opsets)
        for place, name in enumerate(node.input):
            slot = form.of_input(place) if form else None
            if name and slot and slot.variable in want and have[slot.variable] != want[slot.variable]:
                casts.append(Cast(scope.graph, node, place, name, have[slot.variable], want[slot.variable]))
        for place, name in enumerate(node.output):
            slot = form.of_output(place) if form else None
            if name and slot and slot.variable in want and have[slot.variable] != want[slot.variable]:
                outs.append(recast.Out(scope.graph, node, place, want[slot.variable], have[slot.variable]))
    return recast.Edits({id(each.scope.graph): each.scope for each in found}, casts, outs=outs)


def _bound(walk: Walk, scope: Scope, node: Any) -> dict[str, int]:
    """The element type of each type variable of a node; empty where one is unknown or an input contradicts it."""
    form = signature(node, walk.opsets)
    bound: dict[str, int] = {}
    if form is None:
        return bound
    slots = [(form.of_input(place), name) for place, name in enumerate(node.input)]
    slots += [(form.of_output(place), name) for place, name in enumerate(node.output)]
    for slot, name in slots:
        if not name or slot is None or not slot.variable:
            continue
        element = scope.type_of(name)
        if element is None or bound.setdefault(slot.variable, element) != element:
            return {}
    return bound


def _lacking(walk: Walk, node: Any, have: Mapping[str, int], *, parts: bool) -> bool:
    """Says whether the runtime certainly has no way to compute the node."""
    if not kernels.known() or kernels.serves(node, walk.opsets, have):
        return False
    rare = {BFLOAT16, DOUBLE} if parts else {BFLOAT16}  # its parts lack these too
    if kernels.composed(node, walk.opsets) and not rare & set(have.values()):
        return False
    plain_floats = {name: FLOAT if each == FLOAT16 else each for name, each in have.items()}
    return not kernels.serves(node, walk.opsets, plain_floats)  # it casts float16 by itself


def _instead(walk: Walk, scope: Scope, node: Any, have: Mapping[str, int], folder: str) -> Iterator[dict[str, int]]:
    """Types in which the node can be computed, the fewest and most exact changes first."""
    form = signature(node, walk.opsets)
    read = {slot.variable: slot for place in range(len(node.input)) if form and (slot := form.of_input(place))}
    choices = []
    for name, element in have.items():
        others = _INSTEAD.get(element, _SMALL_INTEGERS if elements.is_integer(element) else ()) if name in read else ()
        choices.append([element, *(each for each in others if each in read[name].allowed)] if others else [element])
    ranked = sorted(
        product(*(enumerate(options) for options in choices)),
        key=lambda picked: (sum(rank > 0 for rank, _ in picked), sum(rank for rank, _ in picked)),
    )
    for picked in ranked[1:]:
        want = {name: element for name, (_, element) in zip(have, picked, strict=True)}
        believed = not kernels.known() or kernels.composed(node, walk.opsets)
        served = kernels.serves(node, walk.opsets, want) or (believed and _all_float(have, want))
        if served and not _loses(walk, scope, node, want, folder):
            yield want


def _all_float(have: Mapping[str, int], want: Mapping[str, int]) -> bool:
    """Without a list of kernels, and for parts of a composed operator, only float32 is believed to be there."""
    return all(want[name] == FLOAT for name, element in have.items() if elements.is_float(element))


def _loses(walk: Walk, scope: Scope, node: Any, want: Mapping[str, int], folder: str) -> bool:
    form = signature(node, walk.opsets)
    for place, name in enumerate(node.input):
        slot, constant = form.of_input(place) if form else None, scope.constant(name) if name else None
        target = want.get(slot.variable) if slot else None
        if target and constant is not None and constant.data_type != target:
            lost = elements.loss(recast.array(constant, folder), target)
            if lost:
                return True
    return False
