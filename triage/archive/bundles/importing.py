"""The content of a bundle -> rows of this archive: one transaction, and nothing twice.

What is here stays as it is; what is not yet here is added. Everything is found by the ids that it
has everywhere: builds by key, incidents and groups by uid and signature, confirmations by what was said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, select, text, update

from triage.archive.bundles.deciding import Conflict, Visit
from triage.archive.bundles.exporting import FOREIGN, as_told
from triage.archive.bundles.grouping import Found, batches, take_groups
from triage.archive.bundles.lines import BuildLine, ConfirmationLine, HistoryLine, IncidentLine
from triage.archive.bundles.reading import Content
from triage.archive.filing import find_groups, insert_new
from triage.archive.history import note, now
from triage.archive.rows import environment_digest
from triage.archive.session import Archive, actor
from triage.archive.states import CLOSED
from triage.archive.tables import (
    Build,
    Confirmation,
    Detail,
    Environment,
    Group,
    History,
    Import,
    Incident,
    Log,
    Moment,
)
from triage.archive.vault import compress
from triage.archive.words import version_key

LOGS_AT_ONCE = 20
COUNTED = (
    "builds", "incidents", "groups", "changed_groups", "confirmations", "withdrawn_confirmations", "history", "logs",
    "added_logs", "renewed", "known_builds", "known_incidents", "known_confirmations", "known_history",
)  # fmt: skip
_SIGHTED = (
    update(Group)
    .where(Group.id == bindparam("group"))
    .values(
        count=bindparam("times"),
        first_seen=bindparam("first", type_=Moment()),
        last_seen=bindparam("last", type_=Moment()),
        state=bindparam("now"),
    )
)
_LOCK = 7420982


class Taken(NamedTuple):
    """What an import brought. ``before`` is when the same content was taken in first, None the first time."""

    checksum: str
    origin: str
    before: datetime | None
    counts: Mapping[str, int]
    conflicts: tuple[Conflict, ...]


def take_in(archive: Archive, content: Content, *, dry_run: bool = False) -> Taken:
    """Takes a bundle in: all of it, or nothing.

    Args:
        archive: where to.
        content: what was proved before.
        dry_run: do everything, say what it came to, and take it back.

    Raises:
        ArchiveFault: the archive cannot be written; nothing was taken in.
    """
    with writing(archive, dry_run=dry_run) as connection:
        return _Import(connection, content).run()


@contextmanager
def writing(archive: Archive, *, dry_run: bool) -> Iterator[Connection]:
    """A transaction that one import has for itself; a dry run is taken back at its end."""
    with archive.write() as connection:
        if connection.dialect.name != "sqlite":  # SQLite has one writer anyway
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        yield connection
        if dry_run:
            connection.rollback()


def recorded(connection: Connection, visit: Visit, counts: Mapping[str, int]) -> datetime | None:
    """Notes an import; gives when the same content came in the first time."""
    before: datetime | None = connection.execute(select(Import.at).where(Import.checksum == visit.checksum)).scalar()
    row = {"checksum": visit.checksum, "at": now(), "actor": actor(), "origin": visit.origin, "counts": dict(counts)}
    insert_new(connection, Import, [row])
    return before


class _Sighting(NamedTuple):
    """How often and when the new incidents saw a group."""

    times: int
    first: datetime
    last: datetime

    def more(self, at: datetime) -> _Sighting:
        """One sighting more."""
        return _Sighting(self.times + 1, min(self.first, at), max(self.last, at))


class _Import:
    """One import: a connection, what is taken in, and what it came to."""

    def __init__(self, connection: Connection, content: Content) -> None:
        self._connection = connection
        self._content = content
        self._visit = Visit(content.origin, content.checksum)
        self._counts: Counter[str] = Counter()
        self._conflicts: list[Conflict] = []
        self._seen: dict[int, _Sighting] = {}
        self._open: set[int] = set()  # groups that are not closed there

    def run(self) -> Taken:
        """Everything, in the order in which it depends on each other."""
        groups = take_groups(self._connection, self._content.groups(), self._visit)
        self._conflicts += groups.conflicts
        self._counts.update(groups=groups.new, changed_groups=groups.changed)
        logs = self._logs()
        for batch in batches(self._content.builds()):
            self._builds(batch, groups)
        self._drop_unused(logs)
        self._touch()
        for said in batches(self._content.confirmations()):
            self._confirmations(said)
        for told in batches(self._content.history()):
            self._history(told, groups)
        counts = {name: self._counts[name] for name in COUNTED}
        before = recorded(self._connection, self._visit, counts)
        return Taken(self._visit.checksum, self._visit.origin, before, counts, tuple(self._conflicts))

    def _logs(self) -> list[str]:
        new = []
        for batch in batches(self._content.logs(), LOGS_AT_ONCE):
            known = self._known(Log.digest, [row["digest"] for row in batch])
            rows = [row for row in batch if row["digest"] not in known]
            insert_new(self._connection, Log, rows)
            new += [row["digest"] for row in rows]
        return new

    def _known(self, column: Any, values: Sequence[Any]) -> set[Any]:
        return set(self._connection.execute(select(column).where(column.in_(values))).scalars())

    def _builds(self, lines: Sequence[BuildLine], groups: Found) -> None:
        keys = [line.row["key"] for line in lines]
        query = select(Build.key, Build.id, Build.log_digest).where(Build.key.in_(keys))
        before = {row.key: row for row in self._connection.execute(query)}
        there = self._known(Log.digest, [line.log for line in lines if line.log])
        environments = {environment_digest(line.environment): line.environment for line in lines if line.environment}
        rows = [{"digest": digest, "data": environments[digest]} for digest in sorted(environments)]
        insert_new(self._connection, Environment, rows)
        fresh = [line for line in lines if line.row["key"] not in before]
        insert_new(self._connection, Build, [_build_row(line, there) for line in fresh])
        for line in lines:
            known = before.get(line.row["key"])
            if known is not None and known.log_digest is None and line.log in there:
                self._add_log(known.id, str(line.log))
        numbers = {row.key: row.id for row in self._connection.execute(query)}
        self._counts["builds"] += len(fresh)
        self._counts["known_builds"] += len(lines) - len(fresh)
        self._incidents([(line, numbers[line.row["key"]]) for line in lines], there, groups)

    def _add_log(self, build: int, digest: str) -> None:
        """A log that stayed behind the last time."""
        self._connection.execute(update(Build).where(Build.id == build).values(log_digest=digest))
        without = and_(Incident.build_id == build, Incident.log_digest.is_(None))
        self._connection.execute(update(Incident).where(without).values(log_digest=digest))
        self._counts["added_logs"] += 1

    def _incidents(self, lines: Sequence[tuple[BuildLine, int]], there: set[str], groups: Found) -> None:
        uids = [item.row["uid"] for line, _ in lines for item in line.incidents]
        known = self._known(Incident.uid, uids)
        homes = find_groups(self._connection, {_sign(item) for line, _ in lines for item in line.incidents})
        rows, items = [], {}
        for line, build in lines:
            for item in line.incidents:
                if item.row["uid"] in known:
                    continue
                # where the signature leads here, unless the incident was kept elsewhere there
                sign = _sign(item)
                usual = sign in homes and groups.leads.get(sign, item.group) == item.group
                group = homes[sign].id if usual else groups.local[item.group]
                if item.group not in groups.closed:
                    self._open.add(group)
                rows.append(_incident_row(item, line, build, group, there))
                items[item.row["uid"]] = item
        insert_new(self._connection, Incident, rows)
        made = self._numbers([row["uid"] for row in rows])
        insert_new(self._connection, Detail, [_detail_row(made[uid], items[uid]) for uid in items if uid in made])
        for row in rows:
            self._count_incident(row, made)
        self._counts["known_incidents"] += len(known)

    def _count_incident(self, row: Mapping[str, Any], made: Mapping[str, int]) -> None:
        if row["uid"] not in made:
            place = f"incident {row['position']} of its build is another one"
            self._conflicts.append(Conflict(row["uid"], "incident", place, row["uid"]))
            return
        group, at = row["group_id"], row["at"]
        seen = self._seen.get(group)
        self._seen[group] = seen.more(at) if seen else _Sighting(1, at, at)
        self._counts["incidents"] += 1

    def _numbers(self, uids: Sequence[str]) -> dict[str, int]:
        rows = self._connection.execute(select(Incident.uid, Incident.id).where(Incident.uid.in_(uids)))
        return {row.uid: row.id for row in rows}

    def _drop_unused(self, logs: Sequence[str]) -> None:
        """Logs of builds that are here with another log, or that no build came for."""
        for start in range(0, len(logs), 500):
            some = logs[start : start + 500]
            unused = Log.digest.in_(some) & ~exists().where(Build.log_digest == Log.digest)
            self._connection.execute(delete(Log).where(unused))
        kept = sum(len(self._known(Log.digest, logs[at : at + 500])) for at in range(0, len(logs), 500))
        self._counts["logs"] = kept

    def _touch(self) -> None:
        """Counts and times of the groups that were seen; what was closed here and is open there opens again."""
        for batch in batches(iter(sorted(self._seen))):
            query = select(Group.__table__).where(Group.id.in_(batch)).order_by(Group.id).with_for_update()
            rows = [self._sighted(group) for group in self._connection.execute(query).mappings().all()]
            self._connection.execute(_SIGHTED, rows)

    def _sighted(self, group: Mapping[Any, Any]) -> dict[str, Any]:
        seen = self._seen[group["id"]]
        first, last = min(group["first_seen"], seen.first), max(group["last_seen"], seen.last)
        row = {
            "group": group["id"],
            "first": first,
            "last": last,
            "times": group["count"] + seen.times,
            "now": group["state"],
        }
        again = group["count"] and group["state"] in CLOSED and seen.last > group["last_seen"]
        if again and group["id"] in self._open:
            row["now"] = "reopened"
            data = {"before": group["state"], "after": "reopened", "why": f"it was seen by {self._visit.origin}"}
            note(self._connection, "state", data, at=seen.last, who="triage", group_id=group["id"])
        return row

    def _confirmations(self, lines: Sequence[ConfirmationLine]) -> None:
        rows = self._connection.execute(
            select(Incident.uid, Incident.id, Incident.group_id).where(
                Incident.uid.in_({line.incident for line in lines})
            )
        )
        incidents = {uid: (number, group) for uid, number, group in rows}
        said = self._connection.execute(
            select(Confirmation.__table__).where(
                Confirmation.incident_id.in_([number for number, _ in incidents.values()])
            )
        )
        known = {(row.incident_id, row.at, row.actor, row.cause): row for row in said}
        for line in lines:
            if line.incident not in incidents:
                continue
            number, group = incidents[line.incident]
            before = known.get((number, line.row["at"], line.row["actor"], line.row["cause"]))
            if before is None:
                row = {**line.row, "incident_id": number, "group_id": group}
                self._connection.execute(insert(Confirmation), row)
                self._counts["confirmations"] += 1
            elif line.row["withdrawn"] and not before.withdrawn:
                mine = Confirmation.id == before.id
                self._connection.execute(update(Confirmation).where(mine).values(withdrawn=True))
                self._counts["withdrawn_confirmations"] += 1
            else:
                self._counts["known_confirmations"] += 1

    def _history(self, lines: Sequence[HistoryLine], groups: Found) -> None:
        """History told elsewhere is marked as such, since its numbers mean nothing here and it cannot be undone."""
        incidents = self._numbers([line.incident for line in lines if line.incident])
        near = History.at.in_({line.row["at"] for line in lines})
        known = {_told(row) for row in self._connection.execute(select(History.__table__).where(near)).mappings()}
        for line in lines:
            group = groups.local.get(line.group) if line.group else None
            incident = incidents.get(line.incident) if line.incident else None
            if (line.incident and incident is None) or (line.group and group is None):
                continue
            data = {"was": line.row["kind"], **line.row["data"]}
            row = {**line.row, "kind": FOREIGN, "data": data, "group_id": group, "incident_id": incident}
            if _identity(line.row, group, incident) in known:
                self._counts["known_history"] += 1
                continue
            self._connection.execute(insert(History), row)
            self._counts["history"] += 1


def _sign(item: IncidentLine) -> tuple[str, str]:
    return item.row["signature_version"], item.row["signature_hash"]


def _build_row(line: BuildLine, there: set[str]) -> dict[str, Any]:
    return {
        **line.row,
        "log_digest": line.log if line.log in there else None,
        "environment_digest": environment_digest(line.environment) if line.environment else None,
    }


def _incident_row(item: IncidentLine, line: BuildLine, build: int, group: int, there: set[str]) -> dict[str, Any]:
    run = line.row
    return {
        **item.row,
        "build_id": build,
        "group_id": group,
        "tool_key": version_key(item.row["tool_version"]),
        "engine_key": version_key(item.row["engine_version"]),
        "log_digest": line.log if line.log in there else None,
        **{name: run[name] for name in ("at", "host", "ci", "repository", "branch", "commit")},
    }


def _detail_row(incident: int, item: IncidentLine) -> dict[str, Any]:
    body = json.dumps(item.body, ensure_ascii=False, separators=(",", ":")).encode()
    return {"incident_id": incident, "body": compress(body), "words": item.words}


def _told(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return _identity(as_told(row), row["group_id"], row["incident_id"])


def _identity(row: Mapping[str, Any], group: int | None, incident: int | None) -> tuple[Any, ...]:
    data = json.dumps(row["data"], sort_keys=True, default=str)
    return row["at"], row["actor"], row["kind"], data, group, incident
