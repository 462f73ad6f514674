"""Filter -> conditions of SQL: each term as one expression over incidents, and what finds its rows quickly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, not_, or_, select
from sqlalchemy.orm import aliased

from triage.archive import held_values as held
from triage.archive.filter_values import span_of, version_span
from triage.archive.filters import TEXT, TIMES, VERSIONS, Filter, Term, Value
from triage.archive.fulltext import frequency, hits, holds
from triage.archive.history import now as present
from triage.archive.subjects import find
from triage.archive.tables import Build, Group, Incident

FEW = 10_000  # rows that can be read one by one, and counted in every way, within a tenth of a second
FEW_GROUPS = 2_000
_COLUMNS: Mapping[str, Any] = {
    "model": Incident.model, "host": Incident.host, "branch": Incident.branch, "repo": Incident.repository,
    "component": Incident.component, "ci": Incident.ci, "cause": Incident.cause, "tool": Incident.tool,
    "stage": Incident.stage, "precision": Incident.precision, "rule": Incident.rule, "verdict": Incident.verdict,
    "version": Incident.tool_key, "engine": Incident.engine_key,
}  # fmt: skip
_BEGINNINGS: Mapping[str, Any] = {"commit": Incident.commit, "signature": Incident.signature_hash}
OF_GROUP: Mapping[str, str] = {"state": "state", "owner": "owner", "confirmed": "confirmed_cause"}
_HEX = re.compile(r"[0-9a-f]+")
_NUMBERS = ""  # stands for the table's own order, by id


@dataclass(frozen=True)
class Condition:
    """One term: ``where`` tells of an incident whether it fits.

    ``index`` of ``incidents`` gives, under ``finds``, all rows that can fit; None where no index does.
    ``rows`` is how many those are, counted up to FEW + 1; where they are ``ordered``, the index gives
    them by time. ``timed`` conditions speak of time itself.
    """

    where: ColumnElement[bool]
    index: str | None = None
    finds: ColumnElement[bool] | None = None
    rows: int = FEW + 1
    ordered: bool = False
    timed: bool = False


def conditions(connection: Connection, chosen: Filter, now: datetime | None = None) -> list[Condition]:
    """A condition for each term.

    Args:
        connection: of the archive, for what its columns hold.
        chosen: the filter.
        now: what ``since:7d`` counts from; the present moment.

    Raises:
        UnknownName: a cause, tool, stage, group or incident that neither archive nor catalogue knows.
        UsageError: an id that is none or that several have.
    """
    moment = now or present()
    return [_counted(connection, _condition(connection, term, moment)) for term in chosen.terms]


def condition(connection: Connection, chosen: Filter, now: datetime | None = None) -> ColumnElement[bool]:
    """The whole filter as one expression, for any query that reads incidents. Raises as ``conditions``."""
    made = conditions(connection, chosen, now)
    quick = [one.finds for one in made if one.finds is not None and one.rows <= FEW]
    return and_(literal(1) == 1, *quick, *(one.where for one in made))


def _counted(connection: Connection, one: Condition) -> Condition:
    if one.finds is None or one.index == _NUMBERS or one.rows <= FEW:
        return one
    found = select(Incident.id).where(one.finds).limit(FEW + 1).subquery()
    return replace(one, rows=connection.execute(select(func.count()).select_from(found)).scalar_one())


def _condition(connection: Connection, term: Term, now: datetime) -> Condition:
    if term.key == TEXT:
        return _of_text(connection, term)
    if term.key in TIMES:
        return Condition(_signed(or_(*(_time(term.key, value, now) for value in term.values)), term), timed=True)
    if term.key in (*OF_GROUP, "group"):
        return _of_group(connection, term)
    if term.key == "source":
        return Condition(_signed(_source(connection, term), term))
    if term.key == "id":
        found = or_(*(_named(connection, Incident, value) for value in term.values))
        return Condition(_signed(found, term), _NUMBERS, None if term.negated else found, len(term.values))
    column = _BEGINNINGS.get(term.key, _COLUMNS.get(term.key))
    index = f"ix_incidents_{'signature' if term.key == 'signature' else column.name}"
    found = _column(connection, term, column)
    return replace(_with_index(found, index, term), ordered=held.is_single(found) and term.key not in _BEGINNINGS)


def _signed(found: ColumnElement[bool], term: Term) -> ColumnElement[bool]:
    """The condition, or its contrary, which what is empty fits too."""
    return not_(func.coalesce(found, literal(False))) if term.negated else found


def _with_index(found: ColumnElement[bool], index: str, term: Term) -> Condition:
    """An index helps what is positive; those that leave out empty rows cannot find them."""
    empty = any(value.op == "none" for value in term.values)
    if term.negated or empty or index not in _INDEXES:
        return Condition(_signed(found, term))
    return Condition(found, index, found)


_INDEXES = held.INDEXED


def _column(connection: Connection, term: Term, column: Any) -> ColumnElement[bool]:
    given = [value for value in term.values if value.op != "none"]
    found: list[ColumnElement[bool]] = []
    if len(given) < len(term.values):
        found.append(column == "none" if term.key == "rule" else column.is_(None))
    if term.key in held.CATALOGUED:
        held.check(connection, term.key, column, given)
    if term.key in VERSIONS:
        found += [_version(column, value) for value in given]
    elif term.key in _BEGINNINGS:
        found += [_beginning(connection, term.key, column, value) for value in given]
    elif given:
        given += [_short_rule(value) for value in given if term.key == "rule"]
        found.append(held.meant(connection, term.key, column, given))
    return or_(*found)


def _short_rule(value: Value) -> Value:
    """``tensorrt/x`` is short for ``rule:tensorrt/x``."""
    return value._replace(parts=(f"rule:{value.parts[0]}", *value.parts[1:]))


def _version(column: Any, value: Value) -> ColumnElement[bool]:
    spans = [version_span(part, part, "version") for part in value.parts]
    low, high = spans[0].low, spans[-1].high
    found: Mapping[str, Callable[[], ColumnElement[bool]]] = {
        ">=": lambda: column >= low,
        "<": lambda: column < low,
        ">": lambda: column >= high,
        "<=": lambda: column < high,
    }
    return found[value.op]() if value.op in found else and_(column >= low, column < high)


def _time(key: str, value: Value, now: datetime) -> ColumnElement[bool]:
    start, end = span_of(value.text, now)
    if key == "since":
        return Incident.at >= start
    return Incident.at <= start if start == end else Incident.at < end


def _beginning(connection: Connection, key: str, column: Any, value: Value) -> ColumnElement[bool]:
    if value.op == "is" and _HEX.fullmatch(value.text):
        return and_(column >= value.text, column < value.text + "g")  # g comes after f in every language's order
    return held.alike(connection, column, value if value.op == "like" else Value("like", (value.text, "")), key)


def _named(connection: Connection, table: type[Incident | Group], value: Value) -> ColumnElement[bool]:
    """By id, or by its unique beginning; a group that was merged leads to where it went."""
    subject = find(connection, "*".join(value.parts))
    if table is Incident:
        if subject.incident is None:
            return Incident.group_id == subject.group
        return Incident.id == subject.incident
    merged = select(Group.merged_into).where(Group.id == subject.group)
    return Incident.group_id == (connection.execute(merged).scalar() or subject.group)


def _source(connection: Connection, term: Term) -> ColumnElement[bool]:
    build = aliased(Build)
    source = select(build.source).where(build.id == Incident.build_id).correlate(Incident).scalar_subquery()
    return or_(*(held.alike(connection, source, value, term.key) for value in term.values))


def _of_group(connection: Connection, term: Term) -> Condition:
    if term.key == "group":
        found = or_(*(_named(connection, Group, value) for value in term.values))
        return _with_index(found, "ix_incidents_group", term)
    # looked up for each row: joins tempt both databases to read all groups first
    group = aliased(Group)
    held_by = select(getattr(group, OF_GROUP[term.key])).where(group.id == Incident.group_id).correlate(Incident)
    column = getattr(Group, OF_GROUP[term.key])
    fits = _signed(of_group(connection, term, column, on=held_by.scalar_subquery()), term)
    if term.negated:
        return Condition(fits)
    found = of_group(connection, term, column, on=column)
    few = connection.execute(select(Group.id, Group.count.label("times")).where(found).limit(FEW_GROUPS + 1)).all()
    if len(few) > FEW_GROUPS:
        return Condition(fits)
    ids = Incident.group_id.in_([row.id for row in few])
    return Condition(fits, "ix_incidents_group", ids, sum(row.times for row in few))


def of_group(connection: Connection, term: Term, column: Any, *, on: Any) -> ColumnElement[bool]:
    """A term about groups without its sign; ``on`` is compared with what the column holds."""
    given = [value for value in term.values if value.op != "none"]
    found = [on.is_(None)] if len(given) < len(term.values) else []
    if term.key == "confirmed":
        for value in [value for value in given if value.op == "is" and value.text in ("yes", "no")]:
            found.append(on.is_not(None) if value.text == "yes" else on.is_(None))
            given.remove(value)
        held.check(connection, "cause", column, given)
    return or_(*found, held.meant(connection, term.key, column, given, on=on)) if given else or_(*found)


def _of_text(connection: Connection, term: Term) -> Condition:
    dialect = connection.dialect.name
    found = holds(term.values[0], dialect)
    rows = None if term.negated else frequency(connection, term.values[0], FEW)
    there = hits(term.values[0], dialect)
    if rows is None or there is None:
        return Condition(_signed(found, term))
    return Condition(found, _NUMBERS, Incident.id.in_(there), rows)
