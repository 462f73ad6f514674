"""Tables with bars for a terminal: fit the width, need no colour, and fall back to ASCII."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

_EIGHTHS = "▏▎▍▌▋▊▉█"
_SHORTEST, _LONGEST = 8, 40
_INDENT = 2


class Line(NamedTuple):
    """One row: its label, the figures beside it, and how much of the longest bar it fills (0 … 1)."""

    label: str
    cells: tuple[str, ...]
    part: float


def can_draw_blocks() -> bool:
    """Whether standard output can write block signs; otherwise bars are made of ``#``."""
    try:
        (_EIGHTHS + "·…").encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def table(title: str, lines: Sequence[Line], width: int, *, blocks: bool) -> Iterator[str]:
    """A titled table, one line a row, never wider than ``width`` columns where that is 40 or more."""
    yield title
    columns = [max(cells(line.cells[at]) for line in lines) for at in range(len(lines[0].cells))] if lines else []
    figures = sum(columns) + 2 * len(columns)
    room = max(width - _INDENT - figures - 2 - _SHORTEST, 6)
    label = min(max((cells(line.label) for line in lines), default=0), room, _LONGEST)
    bar_room = min(width - _INDENT - label - figures - 2, _LONGEST)
    for line in lines:
        shown = "".join(f"  {cell:>{column}}" for cell, column in zip(line.cells, columns, strict=True))
        drawn = bar(line.part, bar_room, blocks=blocks)
        yield f"{' ' * _INDENT}{fitted(line.label, label, blocks=blocks)}{shown}  {drawn}".rstrip()


def bar(part: float, room: int, *, blocks: bool) -> str:
    """A bar of at most ``room`` columns. What is there at all is seen: no share above zero is drawn empty."""
    if part <= 0 or room <= 0:
        return ""
    if not blocks:
        return "#" * max(round(min(part, 1.0) * room), 1)
    eighths = max(round(min(part, 1.0) * room * 8), 1)
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[-1] * whole + (_EIGHTHS[rest - 1] if rest else "")


def fitted(text: str, room: int, *, blocks: bool = True) -> str:
    """Text in exactly ``room`` columns: cut with a sign that says so, or filled with blanks."""
    if cells(text) > room:
        more = "…" if blocks else "..."
        kept = ""
        for sign in text:
            if cells(kept) + cells(sign) > room - len(more):
                break
            kept += sign
        text = kept + more
    return text + " " * (room - cells(text))


def cells(text: str) -> int:
    """Columns that a text takes: signs of East Asian scripts take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def percent(share: float) -> str:
    """A share for people: ``4.1 %``; what is there but rounds to nothing is ``<0.1 %``."""
    return "<0.1 %" if 0 < share < 0.0005 else f"{share * 100:.1f} %"


def span(seconds: float | None) -> str:
    """A time for people: ``3.2 days``, ``5.0 hours``, ``40 minutes``."""
    if seconds is None:
        return "-"
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    return f"{seconds / 3600:.1f} hours" if seconds >= 2 * 3600 else f"{seconds / 60:.0f} minutes"
