"""Mends a config.pbtxt that cannot be read: searches the cheapest edits after which it can."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import NamedTuple

from triage import discovery
from triage.tritonrepo.mends import SYNTAX, Offer, edited
from triage.tritonrepo.parse import Node, Parsed, parse

_PACKAGE = "triage.tritonrepo.mends"
_MOST_READ = 700
_AGAIN = 0.2  # what an edit costs of its price when the same was done before
_SPREAD = 0.65  # how much dearer another solution may be
_LARGEST = 256 << 10


class Mended(NamedTuple):
    """A text that can be read, what was done to it, and whether only fields and values were mended."""

    text: str
    cost: float
    edits: tuple[str, ...]
    only_fields: bool


class _State(NamedTuple):
    cost: float
    left: int
    number: int
    parsed: Parsed
    offers: tuple[Offer, ...]


def mend(text: str, most: int = 3) -> list[Mended]:
    """Readable texts with other meanings each, the likeliest first; empty where none was found or none is needed."""
    start = parse(text)
    if start.fault is None or len(text) > _LARGEST:
        return []
    numbers = itertools.count()
    queue = [_State(0.0, len(text), next(numbers), start, ())]
    seen, read, found = {text}, 0, list[tuple[float, _State]]()
    while queue and read < _MOST_READ:
        state = heapq.heappop(queue)
        if found and state.cost > found[0][0] + _SPREAD:
            break
        if state.parsed.fault is None:
            found.append((state.cost, state))
            found.sort(key=lambda one: one[0])
            continue
        for offer in _offers(state.parsed):
            new = edited(state.parsed.text, offer.pieces)
            if new in seen:
                continue
            seen.add(new)
            read += 1
            following = _next(state, offer, new, next(numbers))
            if following is not None:
                heapq.heappush(queue, following)
    return list(_different(found))[:most]


def _next(state: _State, offer: Offer, text: str, number: int) -> _State | None:
    parsed = parse(text)
    left = len(text) - parsed.fault.offset if parsed.fault else 0
    if not offer.backward and parsed.fault is not None and left >= state.left and state.number:
        return None
    if not offer.backward and parsed.fault is not None and left >= len(state.parsed.text) - _offset(state):
        return None
    known = {_sort(each.what) for each in state.offers}
    price = offer.cost * (_AGAIN if _sort(offer.what) in known else 1)
    price += 0.0 if parsed.fault else 2.0 * complaints(parsed.root)
    return _State(state.cost + price, left, number, parsed, (*state.offers, offer))


def _offset(state: _State) -> int:
    return state.parsed.fault.offset if state.parsed.fault else 0


def _sort(what: str) -> str:
    """An edit without its place: the same mistake made again is cheap."""
    return what.partition(" in line ")[0]


def _offers(parsed: Parsed) -> Iterator[Offer]:
    for module in _modules():
        yield from module.offers(parsed)


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(discovery.load(_PACKAGE, name) for name in discovery.names(_PACKAGE))


def _different(found: list[tuple[float, _State]]) -> Iterator[Mended]:
    meanings: list[object] = []
    for cost, state in found:
        meaning = plain(state.parsed.root)
        if meaning in meanings:
            continue
        meanings.append(meaning)
        only_fields = all(each.group != SYNTAX for each in state.offers)
        edits = tuple(dict.fromkeys(each.what for each in state.offers))
        yield Mended(state.parsed.text, round(cost, 2), edits, only_fields)


def plain(node: Node) -> object:
    """The meaning of a tree, without its layout."""
    if node.kind == "scalar":
        return node.value
    if node.kind == "list":
        return [plain(each) for each in node.items]
    return {name: [plain(each) for each in node.each(name)] for name in dict.fromkeys(one.name for one in node.fields)}


def complaints(root: Node) -> int:
    """How much in a readable config makes no sense: tensors without a name, or with one twice."""
    count = 0
    for direction in ("input", "output"):
        names = [node.plain("name") for node in root.each(direction)]
        count += names.count(None) + len(names) - len(set(names))
    return count
