"""How far counting reaches: over every match where they are few, over the newest ones where they are many.

The rarest term decides. If an index gives its rows and they are at most FEW, they are read one by one
and all figures are exact. Otherwise the newest FEW rows of the rarest term (or of the whole archive)
are looked at, and figures speak of the time since the oldest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, func, literal, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from triage.archive.conditions import FEW, Condition
from triage.archive.tables import Incident

MANY = 300_000  # rows of an index that are still read sooner than a million in a row


class Reach(NamedTuple):
    """What a query over incidents needs: ``where`` picks all matches; ``since`` is how far back they are counted.

    ``since`` None: all are counted.
    """

    where: tuple[ColumnElement[bool], ...]
    since: datetime | None

    @property
    def counted(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions of the part that is counted."""
        return self.where if self.since is None else (*self.where, Incident.at >= self.since)


def reach(connection: Connection, made: Sequence[Condition]) -> Reach:
    """Chooses the term that leads, and finds out how far back FEW of its rows go."""
    rarest = min(made, key=lambda one: one.rows, default=None)
    if rarest is not None and rarest.rows <= FEW:
        return Reach(_led_by(connection, rarest, made), None)
    times = [one.where for one in made if one.timed]
    leading: Condition | None = None
    since = _boundary(connection, times)
    for one in made:
        if since is not None and one.ordered and one.finds is not None:
            back = _boundary(connection, [one.finds, *times])
            if back is None or back < since:
                leading, since = one, back
    return Reach(_led_by(connection, leading, made), since)


def far_back(
    connection: Connection, made: Sequence[Condition], density: float, limit: int
) -> tuple[ColumnElement[bool], ...] | None:
    """Conditions for a page that lies far back: all rows of the rarest term at once, to be sorted afterwards.

    Args:
        connection: of the archive.
        made: the filter's conditions.
        density: which share of the rows within reach fits.
        limit: rows of the page.

    Returns:
        None where going on from newest to oldest finds the page sooner.
    """
    most = min(round(limit / max(density, 1 / FEW)), MANY)
    if most <= FEW:
        return None
    if connection.dialect.name != "sqlite":  # it has figures on every column and chooses by itself
        found = [one.finds for one in made if one.finds is not None and one.finds is not one.where]
        return (literal(1) == 1, *found, *(one.where for one in made)) if most > FEW * 4 else None
    rarest: Condition | None = None
    for one in made:
        rows = _rows(connection, one, most)
        if rows <= most:
            rarest, most = one, rows
    return None if rarest is None else _led_by(connection, rarest, made)


def _rows(connection: Connection, one: Condition, most: int) -> int:
    if one.finds is None:
        return most + 1
    found = select(Incident.id).where(one.finds).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def _boundary(connection: Connection, found: Sequence[ColumnElement[bool]]) -> datetime | None:
    """Time of the FEW-th newest row; None where there are not so many."""
    query = select(Incident.at).where(*found).order_by(Incident.at.desc()).offset(FEW).limit(1)
    return connection.execute(query).scalar()


def _led_by(
    connection: Connection, leading: Condition | None, made: Sequence[Condition]
) -> tuple[ColumnElement[bool], ...]:
    """All conditions; only the leading one, and times, may be answered from an index of SQLite.

    It guesses where PostgreSQL knows, and takes whichever index comes first.
    """
    lite = connection.dialect.name == "sqlite"
    found: list[ColumnElement[bool]] = [literal(1) == 1]
    for one in made:
        if one is leading and one.finds is not None:
            found.append(one.finds)
        if one is not leading or one.where is not one.finds:
            by_time = one.timed and (leading is None or leading.ordered)
            found.append(one.where if by_time or not lite else _unindexed(one.where))
    return tuple(found)


def _unindexed(found: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same condition, which SQLite checks row by row."""
    bare: ColumnElement[bool] = visitors.replacement_traverse(found, {}, _plus)
    return bare


def _plus(element: Any, **_: Any) -> Any:
    if isinstance(element, Column) and element.table is Incident.__table__:
        return UnaryExpression(element, operator=custom_op("+"), type_=element.type)
    return None
