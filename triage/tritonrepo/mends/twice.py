"""Fields that are given twice although they can stand only once."""

from __future__ import annotations

from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import field_at, holder, whole_lines
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Dropping one of the two, or putting the content of both into one."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    extent = field_at(parsed.tokens, fault.at)
    if fault.kind != "again" or extent is None or fault.known is None:
        return
    inside = holder(parsed)
    earlier = next((one for one in inside.fields if one.name == fault.known.name), None)
    text = parsed.text
    if earlier is None:
        yield from _choices(parsed, fault)
        return
    new, old = text[extent.start : extent.end], text[earlier.start : earlier.end]
    line = text.count("\n", 0, extent.start) + 1
    before = text.count("\n", 0, earlier.start) + 1
    if new.split() == old.split():
        yield Offer(
            0.4, f"drop the second {fault.known.name} in line {line}", FIELDS, (_cut(text, extent.start, extent.end),)
        )
        return
    if fault.known.kind == "message" and earlier.value.kind == "message":
        yield from _joined(parsed, fault, earlier.value.end)
        return
    words = f"drop {new} in line {line}, for line {before} says {old}"
    yield Offer(1.2, words, FIELDS, (_cut(text, extent.start, extent.end),))
    words = f"drop {old} in line {before}, for line {line} says {new}"
    yield Offer(1.25, words, FIELDS, (_cut(text, earlier.start, earlier.end),), backward=True)


def _choices(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """Two fields of which only one may stand, such as two ways of scheduling; what joins models stays."""
    extent = field_at(parsed.tokens, fault.at)
    assert extent is not None  # noqa: S101
    assert fault.known is not None  # noqa: S101
    known = schema.fields(fault.message)
    other = next((one for one in holder(parsed).fields if known[one.name].oneof == fault.known.oneof), None)
    if other is None:
        return
    name = fault.known.name
    words = "drop {}, which cannot stand beside {}"
    kept = 0.5 if name == "ensemble_scheduling" else 0.0
    cut = _cut(parsed.text, extent.start, extent.end)
    yield Offer(0.9 + kept, words.format(name, other.name), FIELDS, (cut,))
    cut = _cut(parsed.text, other.start, other.end)
    yield Offer(1.2 - kept, words.format(other.name, name), FIELDS, (cut,), backward=True)


def _joined(parsed: Parsed, fault: Fault, end: int) -> Iterator[Offer]:
    extent = field_at(parsed.tokens, fault.at)
    assert extent is not None  # noqa: S101
    first, last = parsed.tokens[extent.value_at], parsed.tokens[extent.after - 1]
    if first.text == "{" and last.text == "}" and fault.known is not None:
        body = parsed.text[first.end : last.start].strip()
        pieces = (_cut(parsed.text, extent.start, extent.end), Piece(end - 1, end - 1, f"{body} "))
        yield Offer(0.9, f"put both {fault.known.name} into one", FIELDS, pieces, backward=True)


def _cut(text: str, start: int, end: int) -> Piece:
    lines = whole_lines(text, start, end)
    return Piece(*lines, "") if lines else Piece(start, end, "")
