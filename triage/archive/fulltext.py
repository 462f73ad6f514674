"""Words and phrases in the texts of incidents: the same answer on every database.

What counts is decided by ``words`` alone: a phrase is found where its words stand side by side.
The full-text indexes of SQLite and PostgreSQL split texts a little differently, so they only say
where to look. No sign of a user's text but letters and digits reaches their query languages.
"""

from __future__ import annotations

from functools import cache
from unicodedata import ucd_3_2_0

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, column, func, literal, select, text

from triage.archive.filters import Value
from triage.archive.tables import Detail, Incident

_SQLITE = text("details_fts MATCH :phrase")
_POSTGRES = text("to_tsvector('simple', details.words) @@ to_tsquery('simple', :phrase)")  # as the index has it
_EXPLAIN = text(
    "EXPLAIN (FORMAT JSON) SELECT 1 FROM details"
    " WHERE to_tsvector('simple', details.words) @@ to_tsquery('simple', :phrase)"
)


def holds(value: Value, dialect: str) -> ColumnElement[bool]:
    """True for incidents whose words hold the phrase."""
    wanted = f" {value.text}" if value.op == "begins" else f" {value.text} "
    held = select(literal(" ") + Detail.words + literal(" ")).where(Detail.incident_id == Incident.id).scalar_subquery()
    position = func.instr if dialect == "sqlite" else func.strpos
    return position(held, wanted) > 0


def hits(value: Value, dialect: str) -> Select[int] | None:
    """Ids of all incidents that may hold the phrase; None where the index cannot tell."""
    phrase = _phrase(value, dialect)
    if not phrase:
        return None
    if dialect == "sqlite":
        rowid: ColumnElement[int] = column("rowid", BigInteger)
        return select(rowid).select_from(text("details_fts")).where(_SQLITE.bindparams(phrase=phrase))
    return select(Detail.incident_id).where(_POSTGRES.bindparams(phrase=phrase))


def frequency(connection: Connection, value: Value, most: int) -> int | None:
    """How many incidents the index gives, counted up to ``most`` + 1; None where it cannot tell."""
    dialect = connection.dialect.name
    found = hits(value, dialect)
    if found is None:
        return None
    if dialect != "sqlite" and all(_estimate(connection, part) > most for part in _parts(value, dialect)):
        return most + 1  # PostgreSQL would read every row of a common word to count it; its planner knows
    return connection.execute(select(func.count()).select_from(found.limit(most + 1).subquery())).scalar_one()


def _estimate(connection: Connection, part: str) -> int:
    rows: int = connection.execute(_EXPLAIN, {"phrase": part}).scalar_one()[0]["Plan"]["Plan Rows"]
    return rows


def _phrase(value: Value, dialect: str) -> str:
    """The query in the database's own language."""
    return (" AND " if dialect == "sqlite" else " & ").join(_parts(value, dialect))


def _parts(value: Value, dialect: str) -> list[str]:
    *whole, last = value.text.split(" ")
    quote, star = ('"', "*") if dialect == "sqlite" else ("'", ":*")
    parts = [f"{quote}{word}{quote}" for word in whole if _sure(word)]
    if _sure(last) and (value.op == "is" or len(last) > 1):  # half of all words begin with some letter
        parts.append(f"{quote}{last}{quote}{star if value.op == 'begins' else ''}")
    return parts


@cache
def _sure(word: str) -> bool:
    """Whether every index takes the word whole: letters and digits of an old Unicode, known to all."""
    return all(ucd_3_2_0.category(sign) in ("Lu", "Ll", "Lo", "Lt", "Lm", "Nd") for sign in word)
