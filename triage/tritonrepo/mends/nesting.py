"""Fields at the wrong level: they belong into a message below, or into one further out."""

from __future__ import annotations

from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import Extent, balanced, behind, field_at, holder, whole_lines
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Fault, Parsed

# a tensor is never made up around a stray field
_NEVER_WRAPPED = ("input", "output", "batch_input", "batch_output", "model_warmup", "control_input", "state", "step")
_MOST_TOGETHER = 12


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Putting a field into the message that has it."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    if fault.kind == "field" and schema.holders(parsed.tokens[fault.at].text):
        yield from _inwards(parsed, fault)
        yield from _outwards(parsed, fault)
    elif fault.kind == "field":
        yield from _joined(parsed, fault)


def _inwards(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    name = parsed.tokens[fault.at].text
    for way in schema.ways(fault.message, name)[:4]:
        if set(way) & set(_NEVER_WRAPPED):
            continue
        target = _type_at(fault.message, way)
        run = list(_run(parsed, fault, target))
        if not run:
            continue
        start, end = run[0].start, run[-1].end
        moved = parsed.text[start:end]
        there = holder(parsed).first(way[0]) if len(way) == 1 else None
        words = f"put {' and '.join(parsed.tokens[each.at].text for each in run)} into {'.'.join(way)}"
        if there is not None and there.kind == "message" and not schema.fields(fault.message)[way[0]].many:
            pieces = (_cut(parsed.text, start, end), Piece(there.end - 1, there.end - 1, f"{moved} "))
            yield Offer(0.9, words, FIELDS, pieces, backward=True)
            continue
        wrapped = "".join(f"{each} {{ " for each in way) + moved + " }" * len(way)
        yield Offer(0.7 + 0.3 * len(way), words, FIELDS, (Piece(start, end, wrapped),))


def _joined(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    """``graph_level: 1`` for ``graph { level: 1 }``."""
    token, extent = parsed.tokens[fault.at], field_at(parsed.tokens, fault.at)
    if extent is None:
        return
    value = parsed.text[parsed.tokens[fault.at].end : extent.end]
    line = parsed.text.count("\n", 0, token.start) + 1
    for outer in schema.fields(fault.message).values():
        rest = token.text.removeprefix(f"{outer.name}_")
        if outer.kind == "message" and not outer.map and rest != token.text and rest in schema.fields(outer.type):
            new = f"{outer.name} {{ {rest}{value} }}"
            yield Offer(0.8, f"write {new} in line {line}", FIELDS, (Piece(extent.start, extent.end, new),))


def _run(parsed: Parsed, fault: Fault, target: str) -> Iterator[Extent]:
    """The fields from here on that the target has and this message has not."""
    here, there = schema.fields(fault.message), schema.fields(target)
    at = fault.at
    for _ in range(_MOST_TOGETHER):
        token = parsed.tokens[at]
        if token.kind != "name" or token.text in here or token.text not in there:
            return
        extent = field_at(parsed.tokens, at)
        if extent is None:
            return
        yield extent
        at = behind(parsed.tokens, extent.after)


def _type_at(message: str, way: tuple[str, ...]) -> str:
    for name in way:
        message = schema.fields(message)[name].type
    return message


def _outwards(parsed: Parsed, fault: Fault) -> Iterator[Offer]:
    token = parsed.tokens[fault.at]
    extent = field_at(parsed.tokens, fault.at)
    if extent is None:
        return
    moved = parsed.text[extent.start : extent.end]
    cut = _cut(parsed.text, extent.start, extent.end)
    extra = 0.0 if balanced(parsed.tokens) else 0.8
    if token.text in schema.fields(schema.ROOT) and fault.within:
        end = len(parsed.text)
        lead = "" if parsed.text.endswith("\n") else "\n"
        words = f"move {token.text} out of {fault.within[-1].message or 'the list'} to the end of the file"
        put = Piece(end, end, f"{lead}{moved}\n")
        yield Offer(
            1.2 + extra, words, FIELDS, (cut, put) if cut.end < end else (cut._replace(new=f"{lead}{moved}\n"),), True
        )
    for outer in fault.within[-2::-1]:
        if outer.message and outer.mark != "[" and token.text in schema.fields(outer.message):
            at = outer.start + 1
            words = f"move {token.text} out to {outer.message}"
            yield Offer(1.4 + extra, words, FIELDS, (cut, Piece(at, at, f" {moved}")), backward=True)
            return


def _cut(text: str, start: int, end: int) -> Piece:
    """Takes a field out, with its line where it stands alone, and with a separator behind it."""
    lines = whole_lines(text, start, end)
    if lines is not None:
        return Piece(*lines, "")
    stop = end
    while stop < len(text) and text[stop] in ",; \t":
        stop += 1
    return Piece(start, stop, "")
