"""Fields under another name: misspelt, in the plural, or as other tools call them."""

from __future__ import annotations

from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import holder
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Parsed
from triage.tritonrepo.schema import FieldType
from triage.tritonrepo.words import closest_fields


def offers(parsed: Parsed) -> Iterator[Offer]:
    """The closest fields of the message at hand."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    token = parsed.tokens[fault.at]
    if fault.kind != "field":
        return
    known = schema.fields(fault.message)
    given = {one.name for one in holder(parsed).fields}
    line = parsed.text.count("\n", 0, token.start) + 1
    for name, distance in closest_fields(token.text, known):
        taken = name in given and not known[name].many
        cost = 0.4 + 1.5 * distance + (1.5 if taken else 0) + (0 if _fits(parsed, fault.at, known[name]) else 1)
        yield Offer(
            cost, f"write {name} for {token.text} in line {line}", FIELDS, (Piece(token.start, token.end, name),)
        )


def _fits(parsed: Parsed, at: int, known: FieldType) -> bool:
    """Whether what follows looks like a value of this field."""
    value = parsed.tokens[at + 1]
    if value.text == ":":
        value = parsed.tokens[at + 2]
    if known.kind == "message":
        return value.text in ("{", "<", "[") or (value.kind in ("string", "name") and not known.many)
    return value.text not in ("{", "<") and (value.text != "[" or known.repeated)
