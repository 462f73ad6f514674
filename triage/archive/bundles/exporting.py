"""An archive, or a part of it, -> a bundle. Everything streams: memory does not grow with what is exported.

A build travels whole, with all its incidents, since they explain each other; so do the groups
that they belong to, with everything that was merged into them. Secrets are masked once more.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select
from sqlalchemy.orm import aliased

from triage import __version__
from triage.archive.bundles import manifest as made
from triage.archive.bundles.columns import cleaned, encode, in_order
from triage.archive.bundles.deciding import TAKEN
from triage.archive.bundles.lines import BUILD, CONFIRMATION, GROUP, HISTORY, INCIDENT, LOG
from triage.archive.bundles.sealed import BITE, Sink, Writer
from triage.archive.conditions import condition
from triage.archive.filters import Filter
from triage.archive.schema import revisions
from triage.archive.session import Archive
from triage.archive.tables import (
    Build,
    Confirmation,
    Detail,
    Environment,
    Group,
    GroupSignature,
    History,
    Incident,
    Log,
    Meta,
)
from triage.archive.vault import compress, decompress
from triage.masks import redact_log

AT_ONCE = 200
FOREIGN = "imported"  # history that came with a bundle
Numbers = Select[Any]  # of rows: one column


class Wanted(NamedTuple):
    """What to export: the builds with an incident that fits the filter; None means everything."""

    chosen: Filter | None = None
    logs: bool = True
    history: bool = True
    rules: Mapping[str, bytes] = {}


class Sender(NamedTuple):
    """What the manifest says of who exports. ``at`` is the present moment."""

    who: str
    host: str
    text: str
    at: datetime
    rules_version: str


def export(archive: Archive, sink: Sink, wanted: Wanted, sender: Sender) -> made.Manifest:
    """Writes a bundle; gives its manifest.

    Raises:
        ArchiveFault: the archive cannot be read.
        UsageError: the filter cannot be used; says why.
    """
    with archive.read() as connection:
        if not archive.is_sqlite:  # one state of the database, whatever others file meanwhile
            connection.execution_options(isolation_level="REPEATABLE READ")
        with Writer(sink) as writer:
            return _Export(connection, writer, wanted).write(sender)


class _Export:
    """One export: a connection, the file that grows, and how many of each went into it."""

    def __init__(self, connection: Connection, writer: Writer, wanted: Wanted) -> None:
        self._connection = connection
        self._writer = writer
        self._wanted = wanted
        self._of: Numbers | None = None  # the builds that travel; None means all
        if wanted.chosen is not None:
            self._of = select(Incident.build_id).where(condition(connection, wanted.chosen))
        self._counts: Counter[str] = Counter()
        self._renamed: dict[str, str] = {}  # logs in which something more was masked have another digest now

    def write(self, sender: Sender) -> made.Manifest:
        """All parts in the order of their kinds, then the manifest."""
        if self._wanted.logs:
            self._jsonl(made.LOGS, self._logs)
        self._jsonl(made.CONFIRMATIONS, self._confirmations)
        self._jsonl(made.GROUPS, self._groups)
        if self._wanted.history:
            self._jsonl(made.HISTORY, self._history)
        self._jsonl(made.INCIDENTS, self._builds)
        for name, data in sorted(self._wanted.rules.items()):
            with self._writer.part(name) as write:
                write(data)
            self._counts["rules"] += 1
        identity = self._connection.execute(select(Meta.value).where(Meta.name == "identity")).scalar() or ""
        manifest = made.Manifest(
            origin=made.Source(identity, sender.who, sender.host, cleaned(sender.text)),
            created=sender.at.isoformat(timespec="seconds"),
            triage=__version__,
            schema_revision=revisions()[-1],
            rules_version=sender.rules_version,
            counts={name: self._counts[name] for name in made.COUNTED},
            parts=self._writer.parts,
        )
        with self._writer.part(made.NAME) as write:
            write(manifest.as_bytes())
        return manifest

    def _jsonl(self, name: str, lines: Callable[[], Iterator[Mapping[str, Any]]]) -> None:
        kind = name.removesuffix(".jsonl")
        if name == made.LOGS:  # its lines are known only when the logs themselves were written
            with TemporaryFile() as kept:
                kept.writelines(map(_line, lines()))
                kept.seek(0)
                with self._writer.part(name) as write:
                    while bite := kept.read(BITE):
                        write(bite)
            return
        with self._writer.part(name) as write:
            for batch in _batches(lines()):
                write(b"".join(map(_line, batch)))
                self._counts["builds" if name == made.INCIDENTS else kind] += len(batch)

    def _rows(self, query: Select[Any]) -> Iterator[Sequence[Mapping[Any, Any]]]:
        """Rows in batches, read as they are needed."""
        return self._connection.execute(query.execution_options(yield_per=AT_ONCE)).mappings().partitions()

    def _every(self, query: Select[Any]) -> Iterable[Mapping[Any, Any]]:
        return self._connection.execute(query).mappings()

    def _logs(self) -> Iterator[Mapping[str, Any]]:
        used = exists().where(Build.log_digest == Log.digest)
        if self._of is not None:
            used = used.where(Build.id.in_(self._of))
        for rows in self._rows(select(Log.digest).where(used).order_by(Log.digest)):
            for found in rows:
                yield from self._log(found["digest"], used)

    def _log(self, digest: str, used: ColumnElement[bool]) -> Iterator[Mapping[str, Any]]:
        """Writes one log and says what is to be said of it, unless the same was written under another name."""
        (stored,) = self._every(select(Log.__table__).where(Log.digest == digest))
        row, body = _masked(stored)
        name = row["digest"]
        if name != digest:
            again = name in self._renamed.values()
            self._renamed[digest] = name
            if again or self._connection.execute(select(Log.digest).where(Log.digest == name, used)).first():
                return
        with self._writer.part(f"logs/{name}.zst", packed=True) as write:
            write(body)
        self._counts["logs"] += 1
        yield {**encode(LOG, row), "sha256": sha256(body).hexdigest(), "bytes": len(body)}

    def _builds(self) -> Iterator[Mapping[str, Any]]:
        query = select(Build.__table__).order_by(Build.key)
        if self._of is not None:
            query = query.where(Build.id.in_(self._of))
        for rows in self._rows(query):
            incidents = self._incidents([row["id"] for row in rows])
            environments = self._environments({row["environment_digest"] for row in rows})
            for row in rows:
                self._counts["incidents"] += len(incidents[row["id"]])
                yield {
                    **encode(BUILD, row),
                    "log": self._renamed.get(row["log_digest"], row["log_digest"]),
                    "environment": environments.get(row["environment_digest"]),
                    "incidents": incidents[row["id"]],
                }

    def _incidents(self, builds: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
        query = (
            select(Incident.__table__, Group.uid.label("group_uid"), Detail.body, Detail.words)
            .join(Group, Group.id == Incident.group_id)
            .join(Detail, Detail.incident_id == Incident.id)
            .where(Incident.build_id.in_(builds))
            .order_by(Incident.build_id, Incident.position)
        )
        found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self._every(query):
            body = cleaned(json.loads(decompress(row["body"])))
            line = {**encode(INCIDENT, row), "group": row["group_uid"], "body": body, "words": cleaned(row["words"])}
            found[row["build_id"]].append(line)
        return found

    def _environments(self, digests: set[str | None]) -> dict[str | None, Any]:
        query = select(Environment.digest, Environment.data).where(Environment.digest.in_(digests - {None}))
        return {digest: in_order(cleaned(data)) for digest, data in self._connection.execute(query)}

    def _chosen(self) -> Numbers | None:
        """Numbers of the groups that travel, those merged into them included; None means all."""
        if self._of is None:
            return None
        seen = select(Incident.group_id).where(Incident.build_id.in_(self._of))
        homes = select(GroupSignature.home_id).where(GroupSignature.group_id.in_(seen))
        return select(Group.id).where(or_(Group.id.in_(seen), Group.id.in_(homes)))

    def _groups(self) -> Iterator[Mapping[str, Any]]:
        target = aliased(Group)
        query = (
            select(Group.__table__, target.uid.label("target"))
            .outerjoin(target, target.id == Group.merged_into)
            .order_by(Group.uid)
        )
        chosen = self._chosen()
        if chosen is not None:
            query = query.where(Group.id.in_(chosen))
        for rows in self._rows(query):
            signs = self._signatures([row["id"] for row in rows])
            for row in rows:
                line = encode(GROUP, row)
                yield {**line, "merged_into": row["target"], "signatures": signs[row["id"]]}

    def _signatures(self, groups: Sequence[int]) -> dict[int, list[Mapping[str, str]]]:
        query = (
            select(GroupSignature.group_id, GroupSignature.version, GroupSignature.hash, Group.uid)
            .join(Group, Group.id == GroupSignature.home_id)
            .where(GroupSignature.group_id.in_(groups))
            .order_by(GroupSignature.version, GroupSignature.hash)
        )
        found: dict[int, list[Mapping[str, str]]] = defaultdict(list)
        for group, version, digest, home in self._connection.execute(query):
            found[group].append({"version": version, "hash": digest, "home": home})
        return found

    def _confirmations(self) -> Iterator[Mapping[str, Any]]:
        query = (
            select(Confirmation.__table__, Incident.uid.label("incident"))
            .join(Incident, Incident.id == Confirmation.incident_id)
            .order_by(Confirmation.at, Incident.uid, Confirmation.id)
        )
        if self._of is not None:
            query = query.where(Incident.build_id.in_(self._of))
        for rows in self._rows(query):
            for row in rows:
                yield {**encode(CONFIRMATION, row), "incident": row["incident"]}

    def _history(self) -> Iterator[Mapping[str, Any]]:
        query = (
            select(History.__table__, Group.uid.label("group"), Incident.uid.label("incident"))
            .outerjoin(Group, Group.id == History.group_id)
            .outerjoin(Incident, Incident.id == History.incident_id)
            .where(History.kind != TAKEN)
            .order_by(History.at, History.id)
        )
        chosen = self._chosen()
        if chosen is not None and self._of is not None:
            ours = or_(History.incident_id.is_(None), Incident.build_id.in_(self._of))
            query = query.where(or_(History.group_id.is_(None), History.group_id.in_(chosen)), ours)
            query = query.where(or_(History.group_id.is_not(None), History.incident_id.is_not(None)))
        for rows in self._rows(query):
            for row in rows:
                line = {**encode(HISTORY, row), "group": row["group"], "incident": row["incident"]}
                yield as_told(line)


def as_told(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of history as its first archive told it: what was imported there is unwrapped."""
    if line["kind"] != FOREIGN:
        return dict(line)
    data = dict(line["data"])
    return {**line, "kind": data.pop("was", FOREIGN), "data": data}


def _masked(row: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A log with what today's masks find masked; the bytes stay where they find nothing."""
    text = decompress(row["body"])
    clean = redact_log(text)
    if clean == text:
        return dict(row), row["body"]
    body = compress(clean)
    return {**row, "digest": sha256(clean).hexdigest(), "stored": len(clean)}, body


def _batches(lines: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for line in lines:
        batch.append(line)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
