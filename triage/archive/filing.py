"""Filing: diagnosed builds -> rows. Every acknowledged incident is there once.

All of one call is one transaction. Ids are derived from content, so that the same log of the
same run filed twice, by anyone, finds the rows of the first time.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from triage.archive.history import note
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
from triage.archive.vault import Packed, compress
from triage.archive.words import version_key, words
from triage.records import Incident as Failure
from triage.records import Origin

AT_ONCE = 200
CLOSED = ("verified", "closed")
LONGEST_WORD = 200
_NO_ORIGIN = Origin()


class NewIncident(NamedTuple):
    """One incident to file: the record, its text for learning, and its JSON shape."""

    failure: Failure
    text: str
    body: Mapping[str, Any]


class NewBuild(NamedTuple):
    """One run to file. ``key`` tells runs apart whose logs are the same; empty where nothing does."""

    source: str
    at: datetime
    outcome: str
    incidents: Sequence[NewIncident]
    rules_version: str
    log: Packed | None = None
    origin: Origin = _NO_ORIGIN
    environment: Mapping[str, Any] | None = None
    key: str = ""
    model: str | None = None
    stage: str | None = None
    target: str | None = None
    command: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    seconds: float | None = None
    exit_code: int | None = None
    prints: bytes | None = None


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


def uid(kind: str, *parts: object) -> str:
    """An id that people can type: ``i-`` or ``g-`` and twelve letters, from 60 bits of a hash."""
    digest = sha256("\n".join(str(part) for part in parts).encode()).digest()
    return f"{kind}-{b32encode(digest[:8]).decode()[:12].lower()}"


def build_key(build: NewBuild) -> str:
    """Names a run: its log and what tells it from other runs with the same log."""
    origin = build.origin
    parts = (build.log.digest if build.log else build.source, origin.repository, origin.run_url, origin.job, build.key)
    return sha256("\n".join(str(part or "") for part in parts).encode()).hexdigest()


def group_uid(version: str, digest: str) -> str:
    """Id of the group that a signature makes."""
    return uid("g", version, digest)


def file_builds(connection: Connection, builds: Sequence[NewBuild]) -> list[Filed]:
    """Files runs with their incidents, inside the caller's transaction."""
    keys = [build_key(build) for build in builds]
    fresh: set[str] = set()
    for start in range(0, len(builds), AT_ONCE):
        part = dict(zip(keys[start : start + AT_ONCE], builds[start : start + AT_ONCE], strict=True))
        fresh |= _file(connection, part)
    filed = []
    for key, build in zip(keys, builds, strict=True):
        names = tuple(uid("i", key, position) for position in range(len(build.incidents)))
        filed.append(Filed(key, names, key in fresh))
        fresh.discard(key)  # the same run twice in one call is new once
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
    statement = _insert(table, connection.dialect.name, name)
    return {row[0]: row[1] for row in connection.execute(statement, list(rows))}


@cache  # building a statement costs more than running it
def _insert(table: type[Base], dialect: str, returning: str | None = None) -> Any:
    make = sqlite_insert if dialect == "sqlite" else postgres_insert
    statement = make(table).on_conflict_do_nothing()
    columns = table.__table__.c
    return statement if returning is None else statement.returning(columns[returning], columns["id"])


def _file(connection: Connection, builds: Mapping[str, NewBuild]) -> set[str]:
    """One batch; gives the keys that were not there before."""
    logs = {build.log.digest: build.log for build in builds.values() if build.log}
    insert_new(connection, Log, (logs[digest]._asdict() for digest in sorted(logs)))
    environments = {_digest(build.environment): build.environment for build in builds.values() if build.environment}
    insert_new(connection, Environment, ({"digest": d, "data": dict(environments[d])} for d in sorted(environments)))
    rows = [_build_row(key, builds[key]) for key in sorted(builds)]
    numbers = _returned(connection, Build, "key", rows)
    new = {key: builds[key] for key in builds if key in numbers}
    if any(build.incidents for build in new.values()):
        _file_incidents(connection, new, numbers)
    return set(numbers)


def _file_incidents(connection: Connection, builds: Mapping[str, NewBuild], numbers: Mapping[str, int]) -> None:
    groups = _groups(connection, builds.values())
    rows, bodies, texts = [], {}, {}
    seen: dict[int, _Seen] = {}
    for key, build in builds.items():
        for position, item in enumerate(build.incidents):
            name = uid("i", key, position)
            group = groups[_signature(item.failure)].id
            rows.append(_incident_row(name, position, item, build, numbers[key], group))
            bodies[name] = compress(json.dumps(item.body, ensure_ascii=False, separators=(",", ":")).encode())
            texts[name] = _search_words(item, build)
            seen[group] = _Seen.more(seen.get(group), build.at, _cause_of(item.failure))
    made = _returned(connection, Incident, "uid", rows)
    insert_new(connection, Detail, ({"incident_id": made[n], "body": bodies[n], "words": texts[n]} for n in made))
    _touch_groups(connection, seen, groups)


def _groups(connection: Connection, builds: Iterable[NewBuild]) -> dict[tuple[str, str], Home]:
    """Group of every signature; makes those that are missing."""
    firsts: dict[tuple[str, str], tuple[NewBuild, NewIncident]] = {}
    for build in builds:
        for item in build.incidents:
            firsts.setdefault(_signature(item.failure), (build, item))
    found = find_groups(connection, firsts)
    missing = sorted(set(firsts) - set(found))
    if missing:
        insert_new(connection, Group, (_group_row(group_uid(*key), *firsts[key]) for key in missing))
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


def _cause_of(failure: Failure) -> tuple[str, str]:
    return (failure.causes[0].id, failure.causes[0].verdict) if failure.causes else ("unknown", "unknown")


def _signature(failure: Failure) -> tuple[str, str]:
    signature = failure.signature
    return (signature.version, signature.hash) if signature else ("none", uid("s", failure.tool, failure.stage)[:16])


def _digest(data: Mapping[str, Any] | None) -> str:
    return sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def clip(value: str | None) -> str | None:
    """A word that fits its column."""
    return value[:LONGEST_WORD] if value else None


def _build_row(key: str, build: NewBuild) -> dict[str, Any]:
    origin = build.origin
    return {
        "key": key, "at": build.at, "outcome": build.outcome, "source": build.source, "model": clip(build.model),
        "stage": clip(build.stage), "target": clip(build.target), "seconds": build.seconds,
        "command": dict(build.command) if build.command else None,
        "parameters": dict(build.parameters) if build.parameters else None,
        "exit_code": build.exit_code, "log_digest": build.log.digest if build.log else None,
        "environment_digest": _digest(build.environment) if build.environment else None, "prints": build.prints,
        "host": clip(origin.host), "ci": clip(origin.ci), "repository": clip(origin.repository),
        "branch": clip(origin.branch), "commit": clip(origin.commit), "run_url": origin.run_url,
        "job": clip(origin.job),
    }  # fmt: skip


def incident_columns(item: NewIncident) -> dict[str, Any]:
    """What a diagnosis says of an incident, by column."""
    failure = item.failure
    cause, verdict = _cause_of(failure)
    version, digest = _signature(failure)
    return {
        "tool": clip(failure.tool), "tool_version": clip(failure.tool_version),
        "tool_key": version_key(failure.tool_version), "engine_version": clip(failure.engine_version),
        "engine_key": version_key(failure.engine_version), "stage": clip(failure.stage),
        "component": clip(failure.component), "model": clip(failure.model), "precision": clip(failure.precision),
        "cause": clip(cause), "verdict": verdict, "rule": clip(failure.causes[0].by if failure.causes else "none"),
        "signature_version": version, "signature_hash": digest, "line": failure.span[0],
    }  # fmt: skip


def _incident_row(
    name: str, position: int, item: NewIncident, build: NewBuild, build_id: int, group: int
) -> dict[str, Any]:
    origin = build.origin
    columns = incident_columns(item)
    return {
        **columns, "uid": name, "build_id": build_id, "position": position, "group_id": group, "at": build.at,
        "log_digest": build.log.digest if build.log else None, "model": columns["model"] or clip(build.model),
        "rules_version": build.rules_version, "host": clip(origin.host), "ci": clip(origin.ci),
        "repository": clip(origin.repository), "branch": clip(origin.branch), "commit": clip(origin.commit),
    }  # fmt: skip


def group_for(connection: Connection, item: NewIncident, at: datetime) -> int:
    """The group of an incident's signature; made where there is none."""
    build = NewBuild("", at, "failed", [item], "")
    return _groups(connection, [build])[_signature(item.failure)].id


def _group_row(name: str, build: NewBuild, item: NewIncident) -> dict[str, Any]:
    failure = item.failure
    cause, verdict = _cause_of(failure)
    return {
        "uid": name, "tool": clip(failure.tool), "stage": clip(failure.stage),
        "template": failure.signature.template if failure.signature else "", "text": item.text, "cause": clip(cause),
        "verdict": verdict, "state": "new", "first_seen": build.at, "last_seen": build.at, "count": 0,
    }  # fmt: skip


def _search_words(item: NewIncident, build: NewBuild) -> str:
    failure = item.failure
    lines = [line.text for cause in failure.causes[:1] for line in cause.evidence[:4]]
    return words(" ".join((*lines, failure.model or build.model or "", build.source, failure.component or "")))
