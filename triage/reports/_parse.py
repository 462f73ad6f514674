"""A report read back from its published JSON: checked, bounded and cleaned, for it may come from anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from triage.errors import InputError
from triage.ingest.text import plain
from triage.library import load_library
from triage.records import (
    Cause,
    Changed,
    Diagnosis,
    Evidence,
    Incident,
    Report,
    RuledOut,
    Seen,
    Signature,
    Similar,
)
from triage.reports._shape import SCHEMA

LONGEST, MOST = 4000, 200  # characters of a text, items of a list
VERDICTS = ("named", "likely", "unknown", "no-failure")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:/_+-]| (?! )){0,198}")


def report_from(body: object) -> Report:
    """A report from ``triage.report/1`` as data; raises InputError that names the place that does not fit."""
    with _at("report"):
        fields = _fields(body)
        if fields.get("schema") != SCHEMA:
            raise _Odd("schema", f"must be {SCHEMA}")
        incidents = tuple(_each(fields, "incidents", _incident))
        primary = fields.get("primary")
        if primary is not None and not (type(primary) is int and 0 <= primary < len(incidents)):
            raise _Odd("primary", "must be the index of an incident or null")
        diagnosis = Diagnosis(
            verdict=_one_of(fields, "verdict", VERDICTS),
            failure=primary is not None and fields.get("failure") is True,
            primary=primary,
            incidents=incidents,
            environment=_words(fields, "environment"),
            cut=None,
            lines=0,
            size=0,
        )
        return Report(_text(fields, "source"), diagnosis, _changed(fields.get("changed")))


class _Odd(ValueError):
    """A place in the data, and what must stand there."""

    def __init__(self, place: str, wanted: str) -> None:
        super().__init__(f"{place} {wanted}")


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Turns what does not fit into an error that says where."""
    try:
        yield
    except _Odd as fault:
        raise InputError(f"{place} is no {SCHEMA}: {plain(str(fault))}. Write it anew with triage.") from None
    except RecursionError:
        raise InputError(f"{place} is nested too deeply to be a {SCHEMA}.") from None


def _fields(body: object, place: str = "it") -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise _Odd(place, "must be an object")
    return body


def _text(fields: Mapping[str, Any], name: str, *, most: int = LONGEST) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _Odd(name, "must be a text")
    return plain(value[:most])


def _name(fields: Mapping[str, Any], name: str) -> str:
    """An id: outputs print it as it is."""
    value = fields.get(name)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _Odd(name, "must be an id of letters, digits and . : / _ - and blanks between them")
    return value


def _maybe(fields: Mapping[str, Any], name: str, *, most: int = LONGEST) -> str | None:
    return None if fields.get(name) is None else _text(fields, name, most=most)


def _number(fields: Mapping[str, Any], name: str, least: int = 0) -> int:
    value = fields.get(name)
    if type(value) is not int or not least <= value < 1 << 53:
        raise _Odd(name, f"must be a whole number from {least}")
    return value


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = fields.get(name)
    if value not in allowed:
        raise _Odd(name, f"must be one of {', '.join(allowed)}")
    return str(value)


def _each(fields: Mapping[str, Any], name: str, make: Any) -> Iterator[Any]:
    values = fields.get(name)
    if not isinstance(values, list):
        raise _Odd(name, "must be a list")
    for number, value in enumerate(values[:MOST]):
        try:
            yield make(_fields(value))
        except _Odd as fault:
            raise _Odd(f"{name}[{number}].", str(fault)) from None


def _words(fields: Mapping[str, Any], name: str) -> dict[str, str]:
    """An object of plain values as texts; what is nested is left out."""
    values = fields.get(name)
    if values is None:
        return {}
    pairs = list(_fields(values, name).items())[:MOST]
    return {plain(str(key)[:200]): plain(str(value)[:LONGEST]) for key, value in pairs if _flat(value)}


def _flat(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _incident(fields: Mapping[str, Any]) -> Incident:
    causes = tuple(_each(fields, "causes", _cause))
    if not causes:
        raise _Odd("causes", "must name at least one")
    upper = fields.get("consequence_of")
    seen = fields.get("seen")
    return Incident(
        tool=_name(fields, "tool"),
        tool_version=_maybe(fields, "tool_version", most=100),
        stage=_name(fields, "stage") if fields.get("stage") is not None else None,
        component=_maybe(fields, "component", most=200),
        model=_maybe(fields, "model", most=400),
        precision=_maybe(fields, "precision", most=40),
        engine_version=_maybe(fields, "engine_version", most=100),
        facts=_words(fields, "facts"),
        signature=_signature(fields.get("signature")),
        span=_span(fields.get("span")),
        consequence_of=upper if type(upper) is int else None,
        causes=causes,
        ruled_out=tuple(_each(fields, "ruled_out", _ruled_out)),
        similar=tuple(_each(fields, "similar", _similar)),
        needed=_maybe(fields, "needed"),
        id=_maybe(fields, "id", most=40),
        seen=_seen(_fields(seen, "seen")) if seen is not None else None,
    )


def _span(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(part) is int and part >= 0 for part in value):
        raise _Odd("span", "must be two line numbers")
    return value[0], value[1]


def _cause(fields: Mapping[str, Any]) -> Cause:
    """Fixes are taken from the catalogue: only their ids come from the data."""
    knowledge = load_library().knowledge
    name = _name(fields, "id")
    if name not in knowledge.ids():
        raise _Odd("id", f"names the cause {name}, which this triage does not know; use the same version on both sides")
    named = {_name(fix, "id") for fix in _each(fields, "fixes", _fields)}
    return Cause(
        id=name,
        verdict=_one_of(fields, "verdict", VERDICTS),
        by=_name(fields, "by"),
        evidence=tuple(_each(fields, "evidence", _evidence)),
        captures=_words(fields, "captures"),
        why=_text(fields, "why"),
        fixes=tuple(fix for fix in knowledge.article(name).fixes if fix.id in named),
    )


def _evidence(fields: Mapping[str, Any]) -> Evidence:
    return Evidence(_number(fields, "line", 1), _text(fields, "text"))


def _ruled_out(fields: Mapping[str, Any]) -> RuledOut:
    return RuledOut(_name(fields, "id"), _text(fields, "why"))


def _similar(fields: Mapping[str, Any]) -> Similar:
    score = fields.get("score")
    if not isinstance(score, int | float):
        raise _Odd("score", "must be a number")
    names = {name: _name(fields, name) for name in ("id", "cause", "state")}
    return Similar(score=float(score), fix=_maybe(fields, "fix", most=100), why=_text(fields, "why"), **names)


def _signature(value: object) -> Signature | None:
    if value is None:
        return None
    fields = _fields(value, "signature")
    return Signature(_text(fields, "version", most=40), _text(fields, "hash", most=80), _text(fields, "template"), {})


def _seen(fields: Mapping[str, Any]) -> Seen:
    numbers = {name: _number(fields, name) for name in ("times", "builds", "of")}
    texts = {name: _name(fields, name) for name in ("group", "state", "first", "last")}
    maybe = {name: _maybe(fields, name, most=1000) for name in ("owner", "note", "confirmed", "fix")}
    return Seen(**numbers, **texts, **maybe)  # type: ignore[arg-type]


def _changed(value: object) -> Changed | None:
    if value is None:
        return None
    fields = _fields(value, "changed")
    return Changed(
        sentence=_text(fields, "sentence"),
        baseline=_text(fields, "baseline", most=100),
        worked=_text(fields, "worked", most=100),
        new_lines=tuple(_each(fields, "new_lines", _new_line)),
        differences=tuple(_each(fields, "differences", _difference)),
    )


def _new_line(fields: Mapping[str, Any]) -> tuple[int, str, int]:
    return _number(fields, "line"), _text(fields, "text"), _number(fields, "times")


def _difference(fields: Mapping[str, Any]) -> tuple[str, str, str | None, str | None]:
    return (
        _text(fields, "kind", most=100), _text(fields, "name", most=200),
        _maybe(fields, "before"), _maybe(fields, "after"),
    )  # fmt: skip
