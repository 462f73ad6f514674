"""Ways to mend the first fault of a config.pbtxt. One module each; the search in ``mending`` tries them all.

A module has ``offers(parsed) -> Iterator[Offer]``: edits of the text that may take the fault away, each with a cost.
An edit that is surely meant costs little (under 1), a guess costs more. Nothing is offered that loses a tensor.
"""

from __future__ import annotations

from typing import NamedTuple

SYNTAX, FIELDS = "syntax", "fields"


class Piece(NamedTuple):
    """A part of the text and what stands there instead."""

    start: int
    end: int
    new: str


class Offer(NamedTuple):
    """One edit: its cost, what it does in words, whether it mends marks or fields, and its pieces.

    ``backward`` is True where the first fault may stand further up afterwards.
    """

    cost: float
    what: str
    group: str
    pieces: tuple[Piece, ...]
    backward: bool = False


def edited(text: str, pieces: tuple[Piece, ...]) -> str:
    """The text with the pieces put in."""
    for piece in sorted(pieces, reverse=True):
        text = text[: piece.start] + piece.new + text[piece.end :]
    return text
