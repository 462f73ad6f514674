"""Times and versions as people type them in a filter -> spans that can be compared. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from triage.archive.words import version_key
from triage.errors import UsageError

UNIT_NAMES = ("today", "yesterday", "now")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,9})\s*([mhdw])", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})")
_HOW = (
    "Write 30m, 24h, 7d or 2w (ago), today, yesterday, 2026-11-01 or 2026-11-01T14:30 (UTC unless +02:00 or so follows)"
)


class Span(NamedTuple):
    """A stretch of time: from ``start``, up to but without ``end``."""

    start: datetime
    end: datetime


class VersionSpan(NamedTuple):
    """Version keys that a typed version stands for: from ``low``, up to but without ``high``."""

    low: int
    high: int


def span_of(text: str, now: datetime | None = None) -> Span:
    """The time that a word, a distance or an ISO date stands for: a day, a minute, a second or a moment.

    Raises:
        UsageError: it is no time, or out of the calendar.
    """
    moment = now or datetime.now(UTC)
    try:
        return _span(text.strip(), moment)
    except (ValueError, OverflowError):
        raise UsageError(f"{text[:60]!r} is no time. {_HOW}.") from None


def _span(text: str, now: datetime) -> Span:
    named = text.lower()
    if named == "now":
        return Span(now, now)
    if named in UNIT_NAMES:
        day = now.astimezone(UTC).date() - timedelta(days=named == "yesterday")
        return _day(day)
    ago = _AGO.fullmatch(text)
    if ago:
        moment = now - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
        return Span(moment, moment)
    if _DAY.fullmatch(text):
        return _day(date.fromisoformat(text))
    if not text[:5].endswith("-"):  # 2026W45 and 20261101 are ISO too, and more often a slip
        raise ValueError(text)
    found = datetime.fromisoformat(text)
    moment = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    seconds = bool(re.search(r"T?\d\d:\d\d:\d\d", text))
    return Span(moment, moment + (timedelta(seconds=1) if seconds else timedelta(minutes=1)))


def _day(day: date) -> Span:
    start = datetime.combine(day, time(), UTC)
    return Span(start, start + timedelta(days=1))


def version_span(text: str, term: str, key: str) -> VersionSpan:
    """All versions that begin as the typed one does: ``10.3`` stands for every 10.3.x.

    Args:
        text: one to four numbers.
        term: the term as typed, for the error.
        key: the filter's key, for the error.
    """
    match = _VERSION.fullmatch(text)
    low = version_key(match[1]) if match else None
    if match is None or low is None:
        raise UsageError(
            f"{term}: {text[:40]!r} is no version. Write {key}:10.3, {key}:>=10, {key}:8.6..10.3 or {key}:none."
        )
    return VersionSpan(low, low + 100_000 ** (3 - match[1].count(".")))
