"""Filing: diagnosed builds -> rows. Every acknowledged incident is there once.

All of one call is one transaction. Ids are derived from content, so that the same log of the
same run filed twice, by anyone, finds the rows of the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Connection, String, any_, bindparam, case, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from triage.archive.history import note
from triage.archive.rows import (
    NewBuild,
    NewIncident,
    Prepared,
    PreparedIncident,
    environment_digest,
    group_uid,
    prepare,
    uid,
)
from triage.archive.states import CLOSED
from triage.archive.tables import (
    Base,
    Build,
    Detail,
    Environment,
    Group,
    GroupSignature,
    Incident,
    Log,
    Moment,
)

__all__ = [
    "Filed", "Home", "NewBuild", "NewIncident", "environment_digest", "file_builds", "file_prepared", "find_groups",
    "group_for", "group_uid", "insert_new", "prepare", "uid",
]  # fmt: skip

AT_ONCE = 200
FEW = 20


class Filed(NamedTuple):
    """What became of one build: ids of its incidents in order, and whether it was new to the archive."""

    build_key: str
    incidents: tuple[str, ...]
    new: bool


class _Seen(NamedTuple):
    """How often, when, and as what one batch saw a group."""

    times: int
    first: datetime
    last: datetime
    cause: tuple[str, str]

    @classmethod
    def more(cls, so_far: _Seen | None, at: datetime, cause: tuple[str, str]) -> _Seen:
        """One sighting more; the newest one says what it is."""
        if so_far is None:
            return cls(1, at, at, cause)
        newer = at >= so_far.last
        return cls(so_far.times + 1, min(so_far.first, at), max(so_far.last, at), cause if newer else so_far.cause)


def file_builds(connection: Connection, builds: Sequence[NewBuild]) -> list[Filed]:
    """Files runs with their incidents, inside the caller's transaction."""
    return file_prepared(connection, prepare(builds))


def file_prepared(connection: Connection, builds: Sequence[Prepared]) -> list[Filed]:
    """The same, of what was prepared before the transaction, so that others wait less."""
    fresh: set[str] = set()
    for start in range(0, len(builds), AT_ONCE):
        fresh |= _file(connection, {build.key: build for build in builds[start : start + AT_ONCE]})
    filed = []
    for build in builds:
        filed.append(Filed(build.key, tuple(item.uid for item in build.incidents), build.key in fresh))
        fresh.discard(build.key)  # the same run twice in one call is new once
    return filed


def insert_new(connection: Connection, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Inserts the rows that are not there yet."""
    values = list(rows)
    if values:
        connection.execute(_insert(table, connection.dialect.name), values)


def _returned(
    connection: Connection, table: type[Base], name: str, rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """As insert_new; gives the numbers of those that were really inserted, by the column ``name``."""
    if connection.dialect.name == "postgresql" and len(rows) > FEW:
        insert_new(connection, table, rows)
        found = connection.execute(_own_rows(table, name), {"names": [row[name] for row in rows]})
    else:
        found = connection.execute(_insert(table, connection.dialect.name, name), list(rows))
    return {row[0]: row[1] for row in found}


@cache
def _own_rows(table: type[Base], name: str) -> Any:
    """Of some rows those that this very transaction has written.

    The driver takes statements of many rows apart again and again, which costs as much as
    running them; row by row it sends them in one go, but then nothing is returned.
    """
    columns = table.__table__.c
    mine = text("xmin = pg_current_xact_id()::xid")
    names = any_(bindparam("names", type_=ARRAY(String)))
    return select(columns[name], columns["id"]).where(columns[name] == names, mine)


@cache  # building a statement costs more than running it
def _insert(table: type[Base], dialect: str, returning: str | None = None) -> Any:
    make = sqlite_insert if dialect == "sqlite" else postgres_insert
    statement = make(table).on_conflict_do_nothing()
    columns = table.__table__.c
    return statement if returning is None else statement.returning(columns[returning], columns["id"])


def _file(connection: Connection, builds: Mapping[str, Prepared]) -> set[str]:
    """One batch; gives the keys that were not there before."""
    for table, rows in ((Log, "log"), (Environment, "environment")):
        once = {row["digest"]: row for row in (getattr(build, rows) for build in builds.values()) if row}
        insert_new(connection, table, (once[digest] for digest in sorted(once)))
    numbers = _returned(connection, Build, "key", [builds[key].row for key in sorted(builds)])
    new = [builds[key] for key in builds if key in numbers]
    if any(build.incidents for build in new):
        _file_incidents(connection, new, numbers)
    return set(numbers)


def _file_incidents(connection: Connection, builds: Sequence[Prepared], numbers: Mapping[str, int]) -> None:
    items = [(build, item) for build in builds for item in build.incidents]
    groups = _groups(connection, [item for _, item in items])
    seen: dict[int, _Seen] = {}
    rows, details = [], {}
    for build, item in items:
        group = groups[item.signature].id
        rows.append({**item.row, "build_id": numbers[build.key], "group_id": group})
        details[item.uid] = item.detail
        seen[group] = _Seen.more(seen.get(group), item.row["at"], (item.row["cause"], item.row["verdict"]))
    made = _returned(connection, Incident, "uid", rows)
    insert_new(connection, Detail, ({**details[name], "incident_id": number} for name, number in made.items()))
    _touch_groups(connection, seen, groups)


def _groups(connection: Connection, items: Sequence[PreparedIncident]) -> dict[tuple[str, str], Home]:
    """Group of every signature; makes those that are missing."""
    firsts: dict[tuple[str, str], PreparedIncident] = {}
    for item in items:
        firsts.setdefault(item.signature, item)
    found = find_groups(connection, firsts)
    missing = sorted(set(firsts) - set(found))
    if missing:
        insert_new(connection, Group, (firsts[key].group for key in missing))
        names = {group_uid(*key): key for key in missing}
        ids = connection.execute(select(Group.uid, Group.id).where(Group.uid.in_(names))).all()
        rows = [{"version": names[u][0], "hash": names[u][1], "group_id": i, "home_id": i} for u, i in ids]
        insert_new(connection, GroupSignature, sorted(rows, key=lambda row: (row["version"], row["hash"])))
        found |= find_groups(connection, missing)
    return found


class Home(NamedTuple):
    """The group that a signature leads to, as far as filing must know it."""

    id: int
    state: str
    last_seen: datetime


_HOMES = (
    select(GroupSignature.version, GroupSignature.hash, Group.id, Group.state, Group.last_seen)
    .join(Group, Group.id == GroupSignature.group_id)
    .where(GroupSignature.hash.in_(bindparam("hashes", expanding=True)))
)


def find_groups(connection: Connection, signatures: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Home]:
    """Groups that signatures (version, hash) belong to now."""
    wanted = set(signatures)
    rows = connection.execute(_HOMES, {"hashes": sorted({digest for _, digest in wanted})})
    return {(row[0], row[1]): Home(*row[2:]) for row in rows if (row[0], row[1]) in wanted}


@cache
def _group_update(dialect: str) -> Any:
    lite = dialect == "sqlite"
    late, early = (bindparam(name, type_=Moment()) for name in ("late", "early"))
    better = or_(bindparam("how") == "named", Group.verdict != "named")
    return (
        update(Group)
        .where(Group.id == bindparam("group"))
        .values(
            count=Group.count + bindparam("more"),
            last_seen=(func.max if lite else func.greatest)(Group.last_seen, late),
            first_seen=(func.min if lite else func.least)(Group.first_seen, early),
            cause=case((better, bindparam("named")), else_=Group.cause),
            verdict=case((better, bindparam("how")), else_=Group.verdict),
        )
    )


def _touch_groups(connection: Connection, seen: Mapping[int, _Seen], homes: Mapping[Any, Home]) -> None:
    """Counts, first and last time, cause of the newest; what was closed is open again."""
    rows = [
        {"group": g, "more": s.times, "late": s.last, "early": s.first, "named": s.cause[0], "how": s.cause[1]}
        for g, s in sorted(seen.items())
    ]
    connection.execute(_group_update(connection.dialect.name), rows)
    for home in set(homes.values()):
        if home.state in CLOSED and seen[home.id].last > home.last_seen:
            connection.execute(update(Group).where(Group.id == home.id).values(state="reopened"))
            data = {"before": home.state, "after": "reopened", "why": "it was seen again"}
            note(connection, "state", data, at=seen[home.id].last, who="triage", group_id=home.id)


def group_for(connection: Connection, item: NewIncident, at: datetime) -> int:
    """The group of an incident's signature; made where there is none."""
    (build,) = prepare([NewBuild("", at, "failed", [item], "")])
    return _groups(connection, build.incidents)[build.incidents[0].signature].id
