"""Today's rules over stored logs: what to look at, what moved, and where a killed run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from triage.archive.filing import find_groups, group_for, insert_new
from triage.archive.history import note, now
from triage.archive.merging import seen_once_more, shift
from triage.archive.rows import NewIncident, clip, incident_columns, packed_body, uid
from triage.archive.tables import Build, Detail, Group, GroupSignature, Incident, Log, Reanalysis
from triage.archive.vault import decompress
from triage.archive.words import words

HELD = "no-failure"


class Stored(NamedTuple):
    """An incident as it is filed: what a new verdict is compared with."""

    id: int
    uid: str
    position: int
    cause: str
    verdict: str
    rule: str
    signature: tuple[str, str]
    group: int


class Work(NamedTuple):
    """A build whose log is kept: its number, source, log, and incidents."""

    build: int
    source: str
    log: bytes
    incidents: tuple[Stored, ...]


class Move(NamedTuple):
    """A verdict that changed: of an incident, or (``incident`` None) one that is new."""

    build: int
    position: int
    incident: Stored | None
    now: NewIncident | None


class Progress(NamedTuple):
    """A run of re-analysis: where it is and what it did so far."""

    id: int
    cursor: int
    done: int
    moved: int
    resumed: bool


def begin(connection: Connection, edition: str, words: str) -> Progress:
    """Starts a run, or takes up the unfinished one with the same rules and filter."""
    query = select(Reanalysis.id, Reanalysis.cursor, Reanalysis.done, Reanalysis.moved).where(
        Reanalysis.finished.is_(None), Reanalysis.rules_version == edition, Reanalysis.filter == words
    )
    found = connection.execute(query.order_by(Reanalysis.id.desc()).limit(1)).one_or_none()
    if found:
        return Progress(*found, resumed=True)
    row = {"started": now(), "finished": None, "rules_version": edition, "filter": words, "cursor": 0, "done": 0,
           "moved": 0}  # fmt: skip
    number = connection.execute(insert(Reanalysis).returning(Reanalysis.id), row).scalar_one()
    return Progress(number, 0, 0, 0, resumed=False)


def builds_after(connection: Connection, cursor: int, limit: int, condition: ColumnElement[bool] | None) -> list[int]:
    """Numbers of the next builds whose log is kept; with a condition on incidents only those that have one."""
    query = select(Build.id).where(Build.id > cursor, Build.log_digest.is_not(None))
    if condition is not None:
        query = query.where(Build.id.in_(select(Incident.build_id).where(condition)))
    return list(connection.execute(query.order_by(Build.id).limit(limit)).scalars())


def how_many(connection: Connection, condition: ColumnElement[bool] | None) -> int:
    """How many builds there are to look at."""
    query = select(func.count()).select_from(Build).where(Build.log_digest.is_not(None))
    if condition is not None:
        query = query.where(Build.id.in_(select(Incident.build_id).where(condition)))
    return connection.execute(query).scalar_one()


def load(connection: Connection, builds: Sequence[int]) -> Iterator[Work]:
    """Logs and incidents of builds."""
    filed: dict[int, list[Stored]] = {}
    rows = connection.execute(
        select(
            Incident.build_id, Incident.id, Incident.uid, Incident.position, Incident.cause, Incident.verdict,
            Incident.rule, Incident.signature_version, Incident.signature_hash, Incident.group_id,
        ).where(Incident.build_id.in_(builds)).order_by(Incident.build_id, Incident.position)
    )  # fmt: skip
    for row in rows:
        filed.setdefault(row[0], []).append(Stored(*row[1:7], signature=(row[7], row[8]), group=row[9]))
    logs = connection.execute(
        select(Build.id, Build.source, Log.body).join(Log, Log.digest == Build.log_digest).where(Build.id.in_(builds))
    )
    for number, source, packed in logs:
        yield Work(number, source, decompress(packed), tuple(filed.get(number, ())))


def compare(work: Work, found: Sequence[NewIncident]) -> list[Move]:
    """What of a build's verdicts moved. An incident that is found no more is held as no failure."""
    moves = []
    old = {stored.position: stored for stored in work.incidents}
    for position, item in enumerate(found):
        stored = old.pop(position, None)
        if stored is None or _differs(stored, item):
            moves.append(Move(work.build, position, stored, item))
    moves += [Move(work.build, p, stored, None) for p, stored in old.items() if stored.cause != HELD]
    return moves


def _differs(stored: Stored, item: NewIncident) -> bool:
    columns = incident_columns(item)
    signature = (columns["signature_version"], columns["signature_hash"])
    return (stored.cause, stored.verdict, stored.rule, stored.signature) != (
        columns["cause"], columns["verdict"], columns["rule"], signature
    )  # fmt: skip


def apply(connection: Connection, moves: Sequence[Move], edition: str) -> None:
    """Writes moved verdicts, each with a line of history; people's confirmations stay."""
    for move in moves:
        if move.incident is None:
            _add(connection, move, edition)
        else:
            _change(connection, move, move.incident, edition)


def _add(connection: Connection, move: Move, edition: str) -> None:
    """An incident that today's rules see for the first time."""
    build = connection.execute(select(Build.__table__).where(Build.id == move.build)).one()
    item = move.now
    assert item is not None  # noqa: S101 -- compare() made it so
    group = group_for(connection, item, build.at)
    name = uid("i", build.key, move.position)
    row = {
        **incident_columns(item), "uid": name, "build_id": build.id, "position": move.position, "group_id": group,
        "at": build.at, "log_digest": build.log_digest, "rules_version": edition, "host": build.host, "ci": build.ci,
        "repository": build.repository, "branch": build.branch, "commit": build.commit,
    }  # fmt: skip
    insert_new(connection, Incident, [row])
    number = connection.execute(select(Incident.id).where(Incident.uid == name)).scalar_one()
    text = words(" ".join(line.text for line in item.failure.causes[0].evidence))
    insert_new(connection, Detail, [{"incident_id": number, "body": packed_body(item.body), "words": text}])
    _say(connection, number, group, None, (row["cause"], row["verdict"], row["rule"]), edition)
    seen_once_more(connection, group, build.at)


def _change(connection: Connection, move: Move, stored: Stored, edition: str) -> None:
    if move.now is None:
        columns: dict[str, Any] = {"cause": HELD, "verdict": HELD, "rule": "none"}
        group = stored.group
    else:
        # what the log does not say (a model named by a person) stays as it was filed
        columns = {name: value for name, value in incident_columns(move.now).items() if value is not None}
        group = _group_of(connection, stored, move.now, columns)
        connection.execute(
            update(Detail).where(Detail.incident_id == stored.id).values(body=packed_body(move.now.body))
        )
    connection.execute(
        update(Incident).where(Incident.id == stored.id).values(**columns, group_id=group, rules_version=edition)
    )
    after = (columns["cause"], columns["verdict"], columns["rule"])
    if after != (stored.cause, stored.verdict, stored.rule):
        _say(connection, stored.id, group, (stored.cause, stored.verdict, stored.rule), after, edition)
        connection.execute(
            update(Group).where(Group.id == group).values(cause=columns["cause"], verdict=columns["verdict"])
        )
    if group != stored.group:
        shift(connection, stored.group, group, 1)


def _group_of(connection: Connection, stored: Stored, item: NewIncident, columns: dict[str, Any]) -> int:
    """The group that an incident belongs to now.

    A new signature algorithm says the same failure in another hash, and what a person confirmed
    stays together: there the group stays and learns the hash. Else another hash of the same
    algorithm means another decisive line: that is another failure, with a group of its own.
    """
    signature = (columns["signature_version"], columns["signature_hash"])
    if signature == stored.signature:
        return stored.group
    known = find_groups(connection, [signature])
    if signature[0] != stored.signature[0] or _is_confirmed(connection, stored.group):
        if known and signature[0] != stored.signature[0]:
            return known[signature].id
        row = {"version": signature[0], "hash": signature[1], "group_id": stored.group, "home_id": stored.group}
        insert_new(connection, GroupSignature, [row])
        return stored.group
    at = connection.execute(select(Incident.at).where(Incident.id == stored.id)).scalar_one()
    return group_for(connection, item, at)


def _is_confirmed(connection: Connection, group: int) -> bool:
    cause = connection.execute(select(Group.confirmed_cause).where(Group.id == group)).scalar_one()
    return cause is not None


def _say(connection: Connection, incident: int, group: int, before: Any, after: Any, edition: str) -> None:
    names = ("cause", "verdict", "rule")
    data = {
        "before": dict(zip(names, before or (None, None, None), strict=True)),
        "after": dict(zip(names, after, strict=True)),
        "rules_version": edition,
    }
    note(connection, "verdict", data, group_id=group, incident_id=incident, who="triage")


def advance(connection: Connection, run: Progress, edition: str, builds: Sequence[int]) -> None:
    """Marks builds as seen by these rules, and the run as having come so far."""
    connection.execute(
        update(Incident)
        .where(Incident.build_id.in_(builds), Incident.rules_version != edition)
        .values(rules_version=clip(edition))
    )
    connection.execute(
        update(Reanalysis).where(Reanalysis.id == run.id).values(cursor=run.cursor, done=run.done, moved=run.moved)
    )


def finish(connection: Connection, run: Progress) -> None:
    """The run is through."""
    connection.execute(update(Reanalysis).where(Reanalysis.id == run.id).values(finished=now()))
