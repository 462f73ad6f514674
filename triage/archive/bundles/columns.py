"""Rows of tables as JSON and back. The columns themselves say what is allowed, so that a new column travels at once."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Double, Float, Integer, LargeBinary, String

from triage.archive.rows import storable
from triage.archive.tables import Base, Moment
from triage.masks import redact

_BITS = {"INTEGER": 31}


class Broken(ValueError):
    """A line of a bundle that must not be taken; the text says what is wrong with it."""


def columns_of(table: type[Base], *left_out: str) -> dict[str, Column[Any]]:
    """Columns of a table that travel, by name."""
    every: Iterable[Any] = table.__table__.c
    return {column.name: column for column in every if column.name not in left_out}


def cleaned(value: Any) -> Any:
    """Plain data with secrets masked and without what a database cannot hold."""
    if isinstance(value, str):
        text = redact(value)
        return text if text.isprintable() else storable(text)
    if isinstance(value, Mapping):
        return {str(cleaned(name)): cleaned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def encode(columns: Mapping[str, Column[Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON: times in ISO 8601, bytes in base64."""
    return {name: _encode(row[name]) for name in columns}


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return in_order(cleaned(value))


def in_order(value: Any) -> Any:
    """Plain data with its keys sorted, since databases do not keep their order alike."""
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(item) for item in value] if isinstance(value, list) else value


def decode(columns: Mapping[str, Column[Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """A row again, every value of its column's type. Columns that the writer did not know yet are empty.

    Raises:
        Broken: says which value is wrong.
    """
    row: dict[str, Any] = {}
    for name, column in columns.items():
        value = data.get(name)
        if value is None:
            if not column.nullable:
                raise Broken(f"{name} is missing")
            row[name] = None
        else:
            row[name] = _reader(column)(name, value, column)
    return row


def _reader(column: Column[Any]) -> Callable[[str, Any, Column[Any]], Any]:
    kind = type(column.type)
    for known, reader in _READERS:
        if issubclass(kind, known):
            return reader
    raise TypeError(f"bundles cannot carry {column}: say in columns.py how")


def _moment(name: str, value: Any, _: Column[Any]) -> datetime:
    if not isinstance(value, str):
        raise Broken(f"{name} is no time")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 1970 <= moment.year <= 2200:
        raise Broken(f"{name} has no zone or a strange year: {value[:40]}")
    return moment.astimezone(UTC)


def _text(name: str, value: Any, column: Column[Any]) -> str:
    longest = getattr(column.type, "length", None)
    if not isinstance(value, str) or (longest is not None and len(value) > longest):
        raise Broken(f"{name} is no text" + (f" of at most {longest} letters" if longest else ""))
    return value


def _whole(name: str, value: Any, column: Column[Any]) -> int:
    bits = _BITS.get(column.type.__visit_name__.upper(), 63)
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise Broken(f"{name} is no whole number of {bits + 1} bits")
    return value


def _number(name: str, value: Any, _: Column[Any]) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise Broken(f"{name} is no number")
    return float(value)


def _truth(name: str, value: Any, _: Column[Any]) -> bool:
    if type(value) is not bool:
        raise Broken(f"{name} is neither true nor false")
    return value


def _bytes(name: str, value: Any, _: Column[Any]) -> bytes:
    if not isinstance(value, str):
        raise Broken(f"{name} is no base64")
    return b64decode(value, validate=True)


def _object(name: str, value: Any, _: Column[Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Broken(f"{name} is no object")
    return value


_READERS: tuple[tuple[type[Any], Callable[[str, Any, Column[Any]], Any]], ...] = (
    (Moment, _moment),
    (JSON, _object),
    (Boolean, _truth),
    (Integer, _whole),
    (Double, _number),
    (Float, _number),
    (String, _text),
    (LargeBinary, _bytes),
)
