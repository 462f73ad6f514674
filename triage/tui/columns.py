"""Columns of the desk's tables: what stands in them, and how wide they are. No Textual in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from triage.bars import cells

GAP = 2


class Column(NamedTuple):
    """A column; ``rank`` 0 is always whole, higher ranks shrink down to ``least``, then go where room is short."""

    name: str
    title: str
    cell: Callable[[Any], str]
    rank: int = 0
    least: int = 0
    right: bool = False


def widths(columns: Sequence[Column], natural: Sequence[int], room: int, *, keep: bool) -> list[int]:
    """Widths that fit the room, 0 for a column that goes.

    Args:
        columns: in the order in which they are shown.
        natural: the widest text of each.
        room: cells for all of them.
        keep: none goes, though they need more room than there is.
    """
    wide = [min(size, column.least) if column.rank else size for size, column in zip(natural, columns, strict=True)]
    by_rank = sorted(range(len(columns)), key=lambda place: columns[place].rank)
    for place in () if keep else reversed(by_rank):
        if columns[place].rank and needed(wide) > room:
            wide[place] = 0
    for place in by_rank:
        if wide[place]:
            wide[place] = min(natural[place], wide[place] + max(room - needed(wide), 0))
    return wide


def needed(wide: Sequence[int]) -> int:
    """Cells that columns of these widths take."""
    return max(sum(one + GAP for one in wide if one) - GAP, 0)


def fitted(text: str, room: int, *, right: bool = False) -> str:
    """Text in exactly so many cells; what is cut ends in an ellipsis."""
    if text.isascii() and len(text) <= room:
        return text.rjust(room) if right else text.ljust(room)
    kept, used = text, cells(text)
    if used > room:
        kept, used = "", 0
        for sign in text:
            more = cells(sign)
            if used + more > room - 1:
                break
            kept, used = kept + sign, used + more
        kept, used = kept + "…", used + 1
    blanks = " " * max(room - used, 0)
    return blanks + kept if right else kept + blanks


def when(moment: datetime) -> str:
    """Day and minute in UTC; of times long past only the date."""
    old = datetime.now(UTC) - moment > timedelta(days=300)
    return f"{moment:%Y-%m-%d}" if old else f"{moment:%m-%d %H:%M}"


def minute(moment: datetime) -> str:
    """Date and minute in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"
