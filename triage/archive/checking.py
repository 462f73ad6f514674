"""Is the archive sound? The database's own checks, and what must hold between its rows.

``group.count`` is how often a failure was ever seen, so it is at least the number of incidents
that are there, and more where old ones were pruned.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import zstandard
from sqlalchemy import Connection, Select, func, or_, select, text
from sqlalchemy.orm import aliased

from triage.archive import schema, upkeep
from triage.archive.session import Archive
from triage.archive.tables import Base, Build, Detail, Group, GroupSignature, Incident, Log
from triage.archive.vault import decompress
from triage.errors import ArchiveFault, SchemaFault

SAMPLE = 200
EXAMPLES = 5
_MOST = 1000  # rows of one fault that are counted
_NEXT = text(
    "SELECT coalesce(last_value + 1, start_value) FROM pg_sequences"
    " WHERE CAST(format('%I.%I', schemaname, sequencename) AS regclass) = CAST(:name AS regclass)"
)
_WORDS = "full-text index"
_SMALL = 200_000  # incidents up to which the full-text index is checked unasked: meanwhile nobody can write


class Finding(NamedTuple):
    """Something that is not as it must be: which check found it, and what in words."""

    check: str
    text: str


class Checked(NamedTuple):
    """What was looked at, what was left out and why, and what was found (nothing, where all is well)."""

    checks: tuple[str, ...]
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]


_Check = Callable[[Connection, bool], Iterable[str]]


def check(archive: Archive, *, full: bool = False, say: Callable[[str], None] = lambda _: None) -> Checked:
    """Looks the whole archive through.

    Args:
        archive: must exist.
        full: every stored log and incident instead of a sample, and the full-text index at any size.
        say: is told the name of each check before it starts.

    Raises:
        UsageError, SchemaFault: there is no archive, or its tables do not fit this program; the file is sound.
        ArchiveFault: the database cannot be reached.
    """
    if archive.path and not os.path.exists(archive.path):
        upkeep.ours(archive)
    findings: list[Finding] = []
    done: list[str] = []
    ours, left_out = _checks_for(archive, full=full)
    for name, one in ours:
        if name == "tables" and not _fits(archive, findings):
            break
        say(name)
        done.append(name)
        findings += [Finding(name, words) for words in _guarded(archive, name, one, full=full)]
    return Checked(tuple(done), left_out, tuple(findings))


def _checks_for(archive: Archive, *, full: bool) -> tuple[list[tuple[str, _Check]], tuple[str, ...]]:
    rows: list[tuple[str, _Check]] = [
        ("incidents", _incidents), ("counts", _counts), ("merges", _merges), ("signatures", _signatures),
        ("stored logs", _logs), ("stored incidents", _details),
    ]  # fmt: skip
    tables: tuple[str, _Check] = ("tables", lambda _, __: schema.differences(archive))
    if not archive.is_sqlite:
        return [tables, ("indexes", _postgres_indexes), ("numbers", _postgres_numbers), *rows], ()
    first: list[tuple[str, _Check]] = [("file", _sqlite_file), ("references", _sqlite_references), tables]
    if not full and _is_large(archive):
        return [*first, *rows], ("full-text index (it is large, and writers would wait; --full checks it)",)
    return [*first, (_WORDS, _sqlite_words), *rows], ()


def _is_large(archive: Archive) -> bool:
    some = text("SELECT count(*) FROM (SELECT 1 FROM details LIMIT :most)")
    try:
        with archive.read() as connection:
            return bool(connection.execute(some, {"most": _SMALL}).scalar_one() == _SMALL)
    except ArchiveFault:
        return False  # the checks say what is the matter


def _fits(archive: Archive, findings: list[Finding]) -> bool:
    """Whether the other checks can be made; where damage was found before, that is said instead."""
    try:
        found = schema.standing(archive)
    except ArchiveFault:
        if findings:
            return False
        raise
    if found.kind == schema.FITS:
        return True
    if not findings:
        raise SchemaFault(f"{archive} ({found.version or 'no schema'}): {found.words}")
    return False


def _guarded(archive: Archive, name: str, one: _Check, *, full: bool) -> list[str]:
    """A check on a damaged file ends in an error of the database: that is a finding too."""
    way = archive.write if name == _WORDS else archive.read  # SQLite asks its full-text index by an INSERT
    try:
        with way() as connection:
            return list(one(connection, full))
    except ArchiveFault as fault:
        if not archive.is_sqlite:
            raise
        said = getattr(fault.__cause__, "orig", fault)
        return [f"cannot be read: {said}. Restore a backup"]


def _sqlite_file(connection: Connection, full: bool) -> Iterator[str]:
    rows = connection.execute(text(f"PRAGMA integrity_check({20 * EXAMPLES})")).scalars().all()
    return (row for row in rows if row != "ok")


def _sqlite_references(connection: Connection, full: bool) -> Iterator[str]:
    rows = connection.execute(text("PRAGMA foreign_key_check")).fetchmany(20 * EXAMPLES)
    return (f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there" for row in rows)


def _sqlite_words(connection: Connection, full: bool) -> Iterator[str]:
    connection.execute(text("INSERT INTO details_fts (details_fts, rank) VALUES ('integrity-check', 1)"))
    return iter(())


def _postgres_indexes(connection: Connection, full: bool) -> Iterator[str]:
    """Indexes that a broken CREATE INDEX left behind, and constraints that were never proven."""
    ours = {"names": list(Base.metadata.tables)}
    rows = connection.execute(text(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid"
        " WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(:names)"
        " AND NOT (i.indisvalid AND i.indisready)"
    ), ours)  # fmt: skip
    yield from (f"index {row[0]} is not valid. Type in psql: REINDEX INDEX {row[0]}" for row in rows)
    rows = connection.execute(text(
        "SELECT c.conname, t.relname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
        " WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(:names) AND NOT c.convalidated"
    ), ours)  # fmt: skip
    yield from (f"constraint {row[0]} of {row[1]} was never validated" for row in rows)


def _postgres_numbers(connection: Connection, full: bool) -> Iterator[str]:
    """After a partial restore a sequence may give numbers that are taken: then nothing can be filed."""
    for table in Base.metadata.sorted_tables:
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:name, 'id') WHERE :has"), {"name": table.name, "has": "id" in table.c}
        ).scalar()
        if not sequence:
            continue
        most = connection.execute(select(func.max(table.c.id))).scalar() or 0
        if most >= connection.execute(_NEXT, {"name": sequence}).scalar_one():
            yield f"the next number of {table.name} is taken. Type in psql: SELECT setval('{sequence}', {most})"


def _some(connection: Connection, what: str, query: Select[Any]) -> Iterator[str]:
    """One finding for all rows of a query; its first column names them."""
    return _told(what, (str(row[0]) for row in connection.execute(query.limit(_MOST))))


def _told(what: str, names: Iterable[str]) -> Iterator[str]:
    """One finding for all that have one fault, with some names; none where there is no name."""
    found = list(islice(names, _MOST))
    if found:
        number = f"{len(found):,}" if len(found) < _MOST else f"{_MOST:,} or more"
        more = ", …" if len(found) > EXAMPLES else ""
        yield f"{number} {what}: {', '.join(found[:EXAMPLES])}{more}"


def _incidents(connection: Connection, full: bool) -> Iterator[str]:
    query = select(Incident.uid)
    without = query.outerjoin(Detail, Detail.incident_id == Incident.id).where(Detail.incident_id.is_(None))
    yield from _some(connection, "incidents without their details", without)
    without = query.outerjoin(Build, Build.id == Incident.build_id).where(Build.id.is_(None))
    yield from _some(connection, "incidents without their build", without)
    without = query.outerjoin(Group, Group.id == Incident.group_id).where(Group.id.is_(None))
    yield from _some(connection, "incidents without their group", without)


def _counts(connection: Connection, full: bool) -> Iterator[str]:
    there = (
        select(Incident.group_id, func.count().label("times"), func.min(Incident.at).label("first"),
               func.max(Incident.at).label("last")).group_by(Incident.group_id).subquery()
    )  # fmt: skip
    query = select(Group.uid).join(there, there.c.group_id == Group.id)
    fewer = query.where(Group.count < there.c.times)
    yield from _some(connection, "groups that count fewer incidents than they have", fewer)
    out = query.where(or_(Group.first_seen > there.c.first, Group.last_seen < there.c.last))
    yield from _some(connection, "groups with incidents before their first or after their last day", out)


def _merges(connection: Connection, full: bool) -> Iterator[str]:
    away = select(Group.uid).where(Group.merged_into.is_not(None))
    having = away.join(Incident, Incident.group_id == Group.id).distinct()
    yield from _some(connection, "merged groups that still have incidents", having)
    target = aliased(Group)
    lost = away.outerjoin(target, target.id == Group.merged_into).where(target.id.is_(None))
    yield from _some(connection, "groups merged into one that is not there", lost)
    rows: Iterable[Any] = connection.execute(select(Group.id, Group.merged_into).where(Group.merged_into.is_not(None)))
    leads = {row[0]: row[1] for row in rows}
    circles = [number for number in leads if _ends_nowhere(leads, number)]
    if circles:
        query = select(Group.uid).where(Group.id.in_(circles[:1000]))
        yield from _some(connection, "groups merged in a circle", query)


def _ends_nowhere(leads: dict[int, int], number: int) -> bool:
    seen = set()
    while number in leads:
        if number in seen:
            return True
        seen.add(number)
        number = leads[number]
    return False


def _signatures(connection: Connection, full: bool) -> Iterator[str]:
    query = select(GroupSignature.hash).outerjoin(Group, Group.id == GroupSignature.group_id)
    yield from _some(connection, "signatures that lead to no group", query.where(Group.id.is_(None)))
    away = query.where(Group.merged_into.is_not(None))
    yield from _some(connection, "signatures that lead to a group that was merged away", away)


def _sampled(connection: Connection, query: Any, key: Any, full: bool) -> Iterable[Any]:
    """All rows, streamed, or some that chance picks by their key."""
    if full:
        return connection.execution_options(yield_per=100).execute(query)
    some = connection.execute(select(key).order_by(func.random()).limit(SAMPLE)).scalars().all()
    return connection.execute(query.where(key.in_(some)))


def _logs(connection: Connection, full: bool) -> Iterator[str]:
    rows = _sampled(connection, select(Log.digest, Log.stored, Log.body), Log.digest, full)
    return _told("stored logs are not what was stored", (row[0][:16] for row in rows if not _is_log(*row)))


def _is_log(digest: str, stored: int, body: bytes) -> bool:
    try:
        content = decompress(body)
    except zstandard.ZstdError:
        return False
    return sha256(content).hexdigest() == digest and len(content) == stored


def _details(connection: Connection, full: bool) -> Iterator[str]:
    query = select(Incident.uid, Detail.body).join(Detail, Detail.incident_id == Incident.id)
    rows = _sampled(connection, query, Incident.id, full)
    return _told("incidents whose details cannot be read", (row[0] for row in rows if not _is_report(row[1])))


def _is_report(body: bytes) -> bool:
    try:
        return isinstance(json.loads(decompress(body)), dict)
    except (zstandard.ZstdError, ValueError):
        return False
