"""What a column holds, and which of it a typed value means.

Values are compared here, without regard to case, so that every database finds the same. The
different values of a column are read by jumping along its index, not by reading its rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import BinaryExpression, ColumnElement, Connection, func, or_, select

from triage.archive.filters import Value
from triage.archive.tables import Base
from triage.errors import UnknownName

MANY = 5_000  # of a column with more different values the database itself compares
CATALOGUED = ("cause", "tool", "stage")
CONTAINING = ("model", "host", "branch", "repo", "component", "ci", "owner", "source")
INDEXED = {index.name for name in ("incidents", "groups") for index in Base.metadata.tables[name].indexes}


def indexed(column: Any) -> bool:
    """Whether an index begins with the column."""
    return f"ix_{column.class_.__tablename__}_{column.name}" in INDEXED


def meant(
    connection: Connection, key: str, column: Any, values: Sequence[Value], *, on: Any = None
) -> ColumnElement[bool]:
    """The condition that a column holds one of the values (without ``none``).

    Args:
        connection: of the archive.
        key: the filter's key.
        column: what the values are values of.
        values: as typed.
        on: what is compared with them, where it is not the column itself.
    """
    compared = column if on is None else on
    exact = key not in CONTAINING and key != "precision"
    texts: list[str] | None = [value.text for value in values]
    if not exact or any(value.op == "like" for value in values):
        tests = [_test(value, key) for value in values]
        held = different(connection, column) if indexed(column) else None
        texts = None if held is None else [text for text in held if any(test(text) for test in tests)]
    if texts is None:
        return or_(*(alike(connection, compared, value, key) for value in values))
    found: ColumnElement[bool] = compared.in_(texts)
    return found


def is_single(found: ColumnElement[bool]) -> bool:
    """Whether a condition asks for one value alone."""
    values = getattr(found.right, "value", None) if isinstance(found, BinaryExpression) else None
    return isinstance(values, list) and len(values) == 1


def different(connection: Connection, column: Any) -> list[str] | None:
    """The different values of an indexed column, in order; None where there are more than MANY."""
    seen = select(func.min(column).label("value")).where(column.is_not(None)).cte("seen", recursive=True)
    following = select(func.min(column)).where(column > seen.c.value).scalar_subquery()
    seen = seen.union_all(select(following).where(seen.c.value.is_not(None)))
    found = connection.execute(select(seen.c.value).where(seen.c.value.is_not(None)).limit(MANY + 1)).scalars().all()
    return None if len(found) > MANY else list(found)


def alike(connection: Connection, column: Any, value: Value, key: str) -> ColumnElement[bool]:
    """The comparison as the database makes it: without regard to the case of a to z."""
    parts = [re.sub(r"([\\%_])", r"\\\1", part.translate(_LOWER)) for part in value.parts]
    pattern = "%".join(parts)
    if value.op == "is" and key in CONTAINING:
        pattern = f"%{pattern}%"
    if connection.dialect.name != "sqlite":
        column = column.collate("C")
    return func.lower(column).like(pattern, escape="\\")


_LOWER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}


def _test(value: Value, key: str) -> Callable[[str], bool]:
    parts = [part.casefold() for part in value.parts]
    if value.op == "like":
        pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
        return lambda text: pattern.fullmatch(text.casefold()) is not None
    if key in CONTAINING:
        return lambda text: parts[0] in text.casefold()
    return lambda text: parts[0] == text.casefold()


def check(connection: Connection, key: str, column: Any, values: Iterable[Value]) -> None:
    """Refuses a cause, tool or stage that neither archive nor catalogue knows; raises UnknownName."""
    for value in values:
        if value.op != "is" or connection.execute(select(column).where(column == value.text).limit(1)).first():
            continue
        known = _catalogue(key)
        if value.text not in known:
            raise UnknownName(key, value.text, {*known, *(different(connection, column) or ())})


def _catalogue(key: str) -> set[str]:
    """What the shipped rules and articles can name."""
    if key == "stage":
        from triage.rulebook.read import STAGES

        return set(STAGES)
    if key == "tool":
        from triage.folders import data_folder

        return {entry.name for entry in os.scandir(data_folder("rules")) if entry.is_dir()}
    from triage.library import load_library

    return {*load_library().knowledge.ids(), "unknown"}
