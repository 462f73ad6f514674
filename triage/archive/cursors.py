"""Cursors: where the next page begins, as a word that can be typed or put into a URL.

A cursor names the last row that was shown by what it is sorted by, so new incidents neither repeat
nor hide a row. It belongs to one filter and one order, and keeps the moment that ``since:7d`` counts from.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from triage.errors import UsageError

_MARK = "c"  # so that a cursor never begins with a dash
_CHECK = 6


class Position(NamedTuple):
    """The last row shown: the values it is sorted by (its number is the last of them), and "now" of that page."""

    now: datetime
    keys: tuple[int | str | None, ...]


def encode(position: Position, order: str, filter_text: str) -> str:
    """A cursor for the page after ``position``."""
    data = json.dumps([_micros(position.now), *position.keys], separators=(",", ":")).encode()
    return _MARK + urlsafe_b64encode(_seal(data, order, filter_text) + data).decode().rstrip("=")


def decode(cursor: str, order: str, filter_text: str) -> Position:
    """What ``encode`` was given.

    Raises:
        UsageError: it is none of ours, was cut, or belongs to another filter or order.
    """
    wrong = UsageError(
        f"{cursor[:40]!r} is no cursor of this list. Give the cursor that the page before printed,"
        " with the same filter and the same --sort."
    )
    try:
        raw = urlsafe_b64decode(cursor.removeprefix(_MARK) + "=" * (-len(cursor[1:]) % 4))
        seal, data = raw[:_CHECK], raw[_CHECK:]
        if not cursor.startswith(_MARK) or seal != _seal(data, order, filter_text):
            raise wrong
        micros, *keys = json.loads(data)
        return Position(datetime.fromtimestamp(micros / 1e6, UTC), tuple(keys))
    except (ValueError, TypeError):
        raise wrong from None


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _seal(data: bytes, order: str, filter_text: str) -> bytes:
    return sha256(b"\0".join((data, order.encode(), filter_text.encode()))).digest()[:_CHECK]
