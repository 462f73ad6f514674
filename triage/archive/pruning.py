"""Deleting what is old: incidents, their builds and logs. What people decided stays.

Groups are never deleted: a failure that comes back finds its state, its confirmed cause and its
count. A group's ``count`` is how often it was ever seen, so pruning does not change it.
Never deleted are incidents with a confirmation that stands, the newest incident of a confirmed
group, incidents of groups that nobody solved (unless asked for), and the newest good build of
every model, stage and target, for it is what failures are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, text, tuple_, update
from sqlalchemy.orm import aliased

from triage.archive.conditions import condition
from triage.archive.filters import Filter, written
from triage.archive.history import note
from triage.archive.session import Archive
from triage.archive.states import CLOSED
from triage.archive.tables import Build, Confirmation, Environment, Group, History, Incident, Log

_AT_ONCE = 500
_ALL = Filter()


class Choice(NamedTuple):
    """What is to go: what happened before a moment, and fits a filter.

    With a filter only the builds of its incidents go; without one also builds that had no incident.
    ``unsolved`` takes incidents of unsolved groups too; ``logs_only`` leaves the rows and takes raw logs.
    """

    before: datetime
    filter: Filter = _ALL
    unsolved: bool = False
    logs_only: bool = False


class Doomed(NamedTuple):
    """Numbers of the rows that are to go, oldest first, and how many were old enough but stay."""

    incidents: Sequence[int]
    builds: Sequence[int]
    kept: int


class Pruned(NamedTuple):
    """How many rows went; of ``logs`` and ``environments`` those that nothing refers to any more."""

    incidents: int = 0
    builds: int = 0
    logs: int = 0
    environments: int = 0

    def more(self, other: Pruned) -> Pruned:
        """Both together."""
        return Pruned(*(one + two for one, two in zip(self, other, strict=True)))


def doomed(connection: Connection, choice: Choice) -> Doomed:
    """What pruning would take now. ``builds`` are those that have no incident; the others go with theirs."""
    old = [Incident.at < choice.before, *_with_log(choice, Incident.log_digest)]
    if choice.filter.terms:
        old.append(condition(connection, choice.filter))
    every = connection.execute(select(func.count()).select_from(Incident).where(*old)).scalar_one()
    query = select(Incident.id).join(Group).where(*old, *_dispensable(choice)).order_by(Incident.id)
    incidents = connection.execute(query).scalars().all()
    builds: Sequence[int] = []
    if not choice.filter.terms:
        bare = (_bare(choice), Build.id.not_in(_newest_good()), *_with_log(choice, Build.log_digest))
        builds = connection.execute(select(Build.id).where(*bare).order_by(Build.id)).scalars().all()
    return Doomed(incidents, builds, every - len(incidents))


def prune(archive: Archive, choice: Choice, rows: Doomed) -> Iterator[Pruned]:
    """Deletes in transactions of some hundred rows; gives what went so far after each.

    A run that is killed has deleted whole batches, and the history says which run and how many.
    Rows that were confirmed, reopened or used since ``doomed`` looked are left.
    """
    so_far, line = Pruned(), 0
    for kind, ids in _batches(rows):
        with archive.write() as connection:
            _hold(connection)
            if kind is Incident:
                went = _take_incidents(connection, choice, ids)
            else:
                went = _take_builds(connection, choice, and_(Build.id.in_(ids), _bare(choice)))
            so_far = so_far.more(went)
            line = _say(connection, choice, so_far, line)
        yield so_far
    while True:
        with archive.write() as connection:
            _hold(connection)
            went = Pruned(logs=_sweep_logs(connection), environments=_sweep_environments(connection))
            if not any(went):
                return
            so_far = so_far.more(went)
            line = _say(connection, choice, so_far, line)
        yield so_far


def _batches(rows: Doomed) -> Iterator[tuple[type[Incident | Build], Sequence[int]]]:
    for kind, ids in ((Incident, rows.incidents), (Build, rows.builds)):
        for start in range(0, len(ids), _AT_ONCE):
            yield kind, ids[start : start + _AT_ONCE]


def _with_log(choice: Choice, column: Any) -> list[ColumnElement[bool]]:
    return [column.is_not(None)] if choice.logs_only else []


def _dispensable(choice: Choice) -> list[ColumnElement[bool]]:
    """Incidents, joined with their groups, that hold nothing a person decided."""
    newer = aliased(Incident)
    is_newest = ~exists().where(
        newer.group_id == Incident.group_id, tuple_(newer.at, newer.id) > tuple_(Incident.at, Incident.id)
    )
    found = [
        ~exists().where(Confirmation.incident_id == Incident.id, Confirmation.withdrawn.is_(False)),
        or_(Group.confirmed_cause.is_(None), ~is_newest),
    ]
    return found if choice.unsolved else [*found, Group.state.in_(CLOSED)]


def _bare(choice: Choice) -> ColumnElement[bool]:
    """Old builds without incidents."""
    return and_(Build.at < choice.before, ~exists().where(Incident.build_id == Build.id))


def _newest_good() -> Any:
    """The newest good build of each model, stage and target."""
    place = func.row_number().over(
        partition_by=(Build.model, Build.stage, Build.target), order_by=(Build.at.desc(), Build.id.desc())
    )
    ranked = select(Build.id, place.label("place")).where(Build.outcome == "passed").subquery()
    return select(ranked.c.id).where(ranked.c.place == 1)


def _hold(connection: Connection) -> None:
    """Nobody files a log or an environment while those without a use are looked for."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE logs, environments IN SHARE ROW EXCLUSIVE MODE"))


def _take_incidents(connection: Connection, choice: Choice, ids: Sequence[int]) -> Pruned:
    connection.execute(select(Incident.id).where(Incident.id.in_(ids)).with_for_update())  # nobody confirms them now
    query = select(Incident.id, Incident.build_id, Incident.log_digest).join(Group)
    found = connection.execute(query.where(Incident.id.in_(ids), *_dispensable(choice))).all()
    numbers, digests = [row[0] for row in found], {row[2] for row in found}
    if choice.logs_only:
        connection.execute(update(Incident).where(Incident.id.in_(numbers)).values(log_digest=None))
    else:
        kept = and_(History.incident_id.in_(numbers), History.group_id.is_not(None))
        connection.execute(update(History).where(kept).values(incident_id=None))  # what was said of the group stays
        connection.execute(delete(Incident).where(Incident.id.in_(numbers)))
    empty = and_(
        Build.id.in_({row[1] for row in found}),
        ~exists().where(Incident.build_id == Build.id, *_with_log(choice, Incident.log_digest)),
    )
    went = _take_builds(connection, choice, empty)
    logs = went.logs + _drop_unused_logs(connection, digests)
    return Pruned(0 if choice.logs_only else len(numbers), went.builds, logs)


def _take_builds(connection: Connection, choice: Choice, which: ColumnElement[bool]) -> Pruned:
    rows = connection.execute(select(Build.id, Build.log_digest).where(which)).all()
    numbers = [row[0] for row in rows]
    ours = Build.id.in_(numbers)
    if choice.logs_only:
        connection.execute(update(Build).where(ours).values(log_digest=None))
    else:
        connection.execute(delete(Build).where(ours))
    return Pruned(0, 0 if choice.logs_only else len(numbers), _drop_unused_logs(connection, {row[1] for row in rows}))


def _unused() -> ColumnElement[bool]:
    used = (exists().where(table.log_digest == Log.digest) for table in (Build, Incident))
    return and_(*(~one for one in used))


def _drop_unused_logs(connection: Connection, digests: set[str | None]) -> int:
    query = delete(Log).where(Log.digest.in_(sorted(digest for digest in digests if digest)), _unused())
    return connection.execute(query).rowcount


def _sweep_logs(connection: Connection) -> int:
    some = connection.execute(select(Log.digest).where(_unused()).limit(_AT_ONCE)).scalars().all()
    return connection.execute(delete(Log).where(Log.digest.in_(some))).rowcount if some else 0


def _sweep_environments(connection: Connection) -> int:
    used = select(Build.environment_digest).where(Build.environment_digest.is_not(None))
    unused = select(Environment.digest).where(Environment.digest.not_in(used)).limit(_AT_ONCE)
    some = connection.execute(unused).scalars().all()
    return connection.execute(delete(Environment).where(Environment.digest.in_(some))).rowcount if some else 0


def _say(connection: Connection, choice: Choice, so_far: Pruned, line: int) -> int:
    """One line of history for the whole run, as true as its last batch."""
    data = so_far._asdict() | {
        "before": choice.before.isoformat(timespec="seconds"),
        "filter": written(choice.filter),
        "unsolved": choice.unsolved,
        "logs_only": choice.logs_only,
    }
    if not line:
        return note(connection, "prune", data)
    connection.execute(update(History).where(History.id == line).values(data=data))
    return line
