"""What may follow in a filter that is being typed: keys, then the values of a key. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from triage.archive.filters import _ALIASES, FIXED, KEYS, NEVER_EMPTY, TIMES, Filter, Term, parse, written

MOST = 50
SPANS = ("24h", "7d", "30d", "90d", "today", "yesterday")
_KEY = re.compile(r"-?([a-z][a-z_-]*):", re.IGNORECASE)
_OPERATOR = re.compile(r"(?:[<>]=?)?")
_BARE = re.compile(r'[^\s",*\\<>]+')


class Place(NamedTuple):
    """Where the cursor stands: what is ``typed`` of which key; ``key`` is empty while one is typed."""

    start: int
    end: int
    key: str
    typed: str


def place_of(text: str, cursor: int) -> Place:
    """The piece of a filter that ends at the cursor."""
    start, comma, inside = 0, -1, False
    for at, sign in enumerate(text[:cursor]):
        if sign == '"' and text[at - 1 : at] != "\\":
            inside = not inside
        elif sign.isspace() and not inside:
            start, comma = at + 1, -1
        elif sign == "," and not inside:
            comma = at
    key = _KEY.match(text, start, cursor)
    if key is None:
        start += text[start:cursor].startswith("-")
        return Place(start, cursor, "", text[start:cursor])
    start = max(key.end(), comma + 1)
    name = key[1].lower()
    operator = _OPERATOR.match(text[start:cursor])
    start += len(operator[0]) if operator else 0
    return Place(start, cursor, _ALIASES.get(name, name), text[start:cursor].strip('"'))


def proposals(place: Place, values_of: Callable[[str], Sequence[str]]) -> list[str]:
    """What can stand in a place: what begins as typed, then what holds it.

    Args:
        place: what was typed there.
        values_of: key -> values that the archive holds.
    """
    known = [f"{key}:" for key in KEYS] if not place.key else list(_values(place.key, values_of))
    typed = place.typed.casefold()
    begins = [one for one in known if one.casefold().startswith(typed)]
    holds = [one for one in known if typed in one.casefold() and one not in begins] if place.key else []
    return [one for one in (*begins, *holds) if one.casefold() != typed][:MOST]


def _values(key: str, values_of: Callable[[str], Sequence[str]]) -> Iterator[str]:
    if key in FIXED or key in TIMES:
        yield from FIXED.get(key, SPANS)
    elif key in KEYS:
        yield from (("yes", "no") if key == "confirmed" else ())
        yield from values_of(key)
        yield from () if key in NEVER_EMPTY else ("none",)


def completed(text: str, place: Place, choice: str) -> tuple[str, int]:
    """The filter with a proposal put in, and where the cursor stands then."""
    piece = choice
    if place.key:
        piece = choice if _BARE.fullmatch(choice) and ".." not in choice else _quoted(choice)
        piece += "" if text[place.end :] else " "
    return text[: place.start] + piece + text[place.end :], place.start + len(piece)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def toggled(chosen: Filter, key: str, value: str | None) -> Filter:
    """The filter with a value asked for; with it excluded where it was asked for; without it where it was excluded.

    Args:
        chosen: the filter.
        key: a filter's key.
        value: None stands for what is empty.
    """
    (asked,) = parse(f"{key}:{'none' if value is None else _quoted(value)}").terms
    excluded = asked._replace(negated=True)
    if holds(chosen, asked):
        return _joined(_less(chosen, asked), excluded)
    return _less(chosen, excluded) if holds(chosen, excluded) else _joined(chosen, asked)


def standing(chosen: Filter, key: str, value: str | None) -> str:
    """``asked`` or ``excluded`` where the filter speaks of a value, else empty."""
    (asked,) = parse(f"{key}:{'none' if value is None else _quoted(value)}").terms
    if holds(chosen, asked):
        return "asked"
    return "excluded" if holds(chosen, asked._replace(negated=True)) else ""


def holds(chosen: Filter, wanted: Term) -> bool:
    """Whether a filter has a term's only value, under the same key and sign."""
    return any(_same(term, wanted) and wanted.values[0] in term.values for term in chosen.terms)


def _same(one: Term, other: Term) -> bool:
    return (one.key, one.negated) == (other.key, other.negated)


def _less(chosen: Filter, gone: Term) -> Filter:
    left = (
        term._replace(values=tuple(value for value in term.values if value not in gone.values))
        if _same(term, gone)
        else term
        for term in chosen.terms
    )
    return Filter(tuple(term for term in left if term.values))


def _joined(chosen: Filter, more: Term) -> Filter:
    return parse(written(Filter((*chosen.terms, more))))
