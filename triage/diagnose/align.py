"""Several messages side by side -> one row of parts: what differs becomes a hole."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from triage.diagnose.parts import Part, spoken

KEPT_SHARE = 0.6
MOST_GAPS = 3
_FAMILY = {
    "number": "numeric", "version": "numeric", "ip": "numeric", "size": "size", "duration": "size",
    "path": "id", "file": "id", "scoped": "id", "source": "id", "numbered": "id", "identifier": "id", "dtype": "id",
    "name": "id", "item": "id",
}  # fmt: skip
_NUMERIC = frozenset({"number", "version", "ip"})


def merged(left: Sequence[Part], right: Sequence[Part]) -> list[Part] | None:
    """Both rows as one; None where they do not read as the same message."""
    joined: list[Part] = []
    a = b = 0
    for step in LCSseq.opcodes([_key(part) for part in left], [_key(part) for part in right]):
        if step.tag != "equal":
            continue
        if a < step.src_start or b < step.dest_start:
            joined.append(_gap(left[a : step.src_start], right[b : step.dest_start]))
        a, b = step.src_end, step.dest_end
        joined += [_both(x, y) for x, y in zip(left[step.src_start : a], right[step.dest_start : b], strict=True)]
    if a < len(left) or b < len(right):
        joined.append(_gap(left[a:], right[b:]))
    joined = _without_islands(joined)
    kept = _weight(joined)
    gaps = sum(part.kind == "gap" for part in joined)
    whole = min(_weight(left), _weight(right))
    return joined if gaps <= MOST_GAPS and kept and kept >= KEPT_SHARE * whole else None


def _key(part: Part) -> tuple[str, str]:
    if part.literal:
        return "=", part.text if part.text not in {'"', "`"} else "'"
    return "#", _FAMILY.get(part.kind, part.kind)


def _weight(parts: Sequence[Part]) -> int:
    return sum(len(part.text) for part in parts if part.kind == "word")


def _both(left: Part, right: Part) -> Part:
    values = tuple(dict.fromkeys((*left.values, *right.values)))
    blanks = left.blanks | right.blanks
    if left.literal:
        return left._replace(blanks=blanks)
    mixed = "version" if {left.kind, right.kind} <= _NUMERIC else "item"
    return Part(left.kind if left.kind == right.kind else mixed, values, blanks)


def _gap(left: Sequence[Part], right: Sequence[Part]) -> Part:
    """A hole for what the rows do not share."""
    blanks = frozenset().union(*(side[0].blanks if side else {0} for side in (left, right)))
    return Part("gap", tuple(dict.fromkeys((*_values(left), *_values(right)))), blanks)


def _values(side: Sequence[Part]) -> tuple[str, ...]:
    if len(side) == 1:
        return side[0].values
    return (spoken(side),)


def _without_islands(parts: list[Part]) -> list[Part]:
    """A mark or a small word alone between two gaps was met by chance."""
    out: list[Part] = []
    for part in parts:
        out.append(part)
        if part.kind != "gap":
            continue
        back = len(out) - 2
        while back >= 0 and out[back].kind != "gap":
            back -= 1
        if back >= 0 and all(p.literal and len(p.text) <= 3 for p in out[back + 1 : -1]):
            between = spoken(out[back + 1 : -1])
            values = tuple(f"{x} {between} {y}".strip() for x in out[back].values[:3] for y in part.values[:3])
            out[back:] = [Part("gap", values, out[back].blanks)]
    return out
