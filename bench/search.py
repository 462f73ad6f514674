"""Filtered search with facets at 1,000,000 incidents over 100,000 groups, on SQLite and PostgreSQL.

usage: python -m bench.search fill URL [INCIDENTS GROUPS]     an empty database; takes some minutes
       python -m bench.search run URL [FILTERS]               the same filters for every database
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, event, func, select, text

from bench._synthetic import Dice, Row, incidents
from triage.archive.filters import parse
from triage.archive.finding import look
from triage.archive.rows import group_uid, uid
from triage.archive.schema import upgrade
from triage.archive.session import Archive
from triage.archive.tables import Build, Detail, Group, GroupSignature, Incident
from triage.archive.vault import compress
from triage.archive.words import version_key, words

STATES = ("new",) * 11 + ("known",) * 4 + ("fixing", "verified", "closed", "closed", "reopened")
VERDICTS = ("named",) * 7 + ("likely",) + ("unknown",) * 2
SIGNED = "2026-11-20"
RULES = "r" * 64
AT_ONCE = 20_000
Table = type[Any]


def fill(url: str, count: int = 1_000_000, groups: int = 100_000) -> None:
    """Rows as filing makes them, put in bulk; indexes are built at the end."""
    start = time.perf_counter()
    with Archive(url) as archive:
        upgrade(archive)
        indexes = [index for table in (Incident, Build, Group, GroupSignature) for index in table.__table__.indexes]
        if archive.is_sqlite:
            event.listen(archive.engine, "connect", _careless)
            archive.engine.dispose()
        with archive.write() as connection:
            for index in indexes:
                index.drop(connection)
            if not archive.is_sqlite:
                connection.execute(text("SET session_replication_role = replica"))
                connection.execute(text("DROP INDEX ix_details_words"))
            for table, rows in _rows(count, groups):
                _put(connection, table, rows)
            for index in indexes:
                index.create(connection)
            if not archive.is_sqlite:
                connection.execute(
                    text("CREATE INDEX ix_details_words ON details USING gin (to_tsvector('simple', words))")
                )
        if not archive.is_sqlite:
            with archive.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
    print(f"{count:,} incidents filled in {time.perf_counter() - start:.0f} s")


def _careless(connection: Any, _: Any) -> None:
    for setting in ("foreign_keys = OFF", "synchronous = OFF", "journal_mode = OFF"):
        connection.execute(f"PRAGMA {setting}")


def _put(connection: Any, table: Table, rows: list[tuple[Any, ...]]) -> None:
    names = ",".join(f'"{column.name}"' for column in table.__table__.columns)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        marks = ",".join("?" * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table.__tablename__} ({names}) VALUES ({marks})", rows)  # noqa: S608 -- names of our own tables
        return
    with cursor.copy(f"COPY {table.__tablename__} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _rows(count: int, groups: int) -> Iterator[tuple[Table, list[tuple[Any, ...]]]]:
    """Builds, incidents and details in batches; groups and their signatures at the end."""
    known: dict[str, dict[str, Any]] = {}
    batch: dict[Table, list[tuple[Any, ...]]] = {Build: [], Incident: [], Detail: []}
    for number, row in enumerate(incidents(count, groups), 1):
        dice = Dice(7, number)
        group = known.get(row.hash) or known.setdefault(row.hash, _group(len(known) + 1, row, dice))
        group["last"], group["times"] = row.when, group["times"] + 1
        for table, values in zip(batch, _incident(number, row, group, dice), strict=True):
            batch[table].append(values)
        if number % AT_ONCE == 0 or number == count:
            yield from batch.items()
            batch = {table: [] for table in batch}
    yield (
        Group,
        [
            (g["id"], group_uid(SIGNED, digest), g["tool"], g["stage"], g["text"], g["text"], g["cause"], g["verdict"],
             g["state"], g["owner"], g["first"] * 1_000_000, g["last"] * 1_000_000, g["times"], *[None] * 5)
            for digest, g in known.items()
        ],
    )  # fmt: skip
    yield GroupSignature, [(SIGNED, digest, g["id"], g["id"]) for digest, g in known.items()]


def _group(number: int, row: Row, dice: Dice) -> dict[str, Any]:
    verdict = dice.one(VERDICTS)
    return {
        "id": number, "tool": row.tool, "stage": row.stage, "text": row.text, "verdict": verdict,
        "cause": row.cause if verdict != "unknown" else "unknown", "state": dice.one(STATES), "first": row.when,
        "last": row.when, "times": 0, "owner": dice.one(("ana", "bo", "chen", "", "", "")) or None,
    }  # fmt: skip


def _incident(number: int, row: Row, group: dict[str, Any], dice: Dice) -> tuple[tuple[Any, ...], ...]:
    """One row of builds, incidents and details."""
    stem = row.model.removesuffix(".onnx")
    model = f"{stem}_v{int((dice.below(1 << 20) / (1 << 20)) ** 3 * 200)}.onnx" if dice.below(10) else None
    key, at = f"{number:064x}", row.when * 1_000_000
    source = f"ci/{row.repository}/{dice.below(5_000)}/build.log"
    where = (row.host, row.ci or None, row.repository, row.branch, row.commit)
    rule = f"rule:{row.tool}/{row.cause}" if group["verdict"] == "named" else "none"
    cause = {"id": group["cause"], "verdict": group["verdict"], "evidence": [{"line": 17, "text": row.line}]}
    return (
        (number, key, at, "failed", source, model, row.stage, None, None, None, 12.5, 1, None, None, None, *where,
         row.run, "build"),
        (number, uid("i", key, 0), number, 0, group["id"], None, at, row.tool, row.tool_version,
         version_key(row.tool_version), row.engine_version, version_key(row.engine_version), row.stage, None, model,
         row.precision, group["cause"], group["verdict"], rule, RULES, SIGNED, row.hash, 17, *where),
        (number, compress(json.dumps({"causes": [cause]}).encode()), words(f"{row.line} {model or ''} {source}")),
    )  # fmt: skip


def filters(archive: Archive, count: int) -> list[str]:
    """Filters of one to four terms over what the archive holds; the same for the same rows."""
    with archive.read() as connection:
        most = connection.execute(select(func.max(Incident.id))).scalar_one()
        made = []
        for number in range(count):
            dice = Dice(11, number)
            row = connection.execute(select(Incident).where(Incident.id == 1 + dice.below(most))).one()
            found = connection.execute(select(Detail.words).where(Detail.incident_id == row.id)).scalar_one().split()
            at = dice.below(max(len(found) - 1, 1))
            terms = [
                f"cause:{row.cause}", f"tool:{row.tool}", f"verdict:{row.verdict}", f"stage:{row.stage}",
                f"model:{row.model}" if row.model else "model:none", f"model:{(row.model or 'bert').split('_')[0]}",
                f"precision:{row.precision}", f"branch:{row.branch}", f"-branch:{row.branch}", f"host:{row.host}",
                f"repo:{row.repository}", f"version:{row.tool_version}", f"version:>={row.tool_version}",
                f"engine:<{row.engine_version}", f"state:{dice.one(STATES)}", f"-state:{dice.one(STATES)}",
                "owner:ana", f"since:{dice.one(('1d', '7d', '30d', '90d', '300d'))}", found[at],
                f'"{" ".join(found[at : at + 2])}"', f"{found[at][:4]}*", f"commit:{row.commit[:30]}",
                f"rule:{row.rule}", f"cause:{row.cause},unknown",
            ]  # fmt: skip
            made.append(" ".join(dict.fromkeys(dice.one(tuple(terms)) for _ in range(1 + dice.below(4)))))
    return made


class Times(NamedTuple):
    """Of one filter: the first of three runs, the best, and processor time of the best (both ends, 0 where unknown)."""

    first: float
    best: float
    processor: float
    words: str


def run(url: str, count: int = 200) -> None:
    """Each filter three times in a warm process. Processor time tells what a machine with nothing else to do needs."""
    with Archive(url) as archive, archive.read() as connection:
        chosen = filters(archive, count)
        now = connection.execute(select(func.max(Incident.at))).scalar_one()
        server = None if archive.is_sqlite else connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        for warm in chosen[:10]:
            look(connection, parse(warm, now), facets=True, now=now)
        took = [_timed(connection, one, now, server) for one in chosen]
    for name in ("first", "best", "processor"):
        values = sorted(getattr(times, name) * 1e3 for times in took)
        print(
            f"{name:<9}  p50 {statistics.median(values):4.0f} ms  p95 {values[int(len(values) * 0.95)]:4.0f} ms"
            f"  slowest {values[-1]:4.0f} ms  ({len(values)} filters with facets)"
        )
    for times in sorted(took, key=lambda one: one.best)[-8:]:
        print(f"  {times.best * 1e3:6.0f} ms  {times.words}")


def _timed(connection: Connection, chosen: str, now: datetime, server: int | None) -> Times:
    walls, processors = [], []
    for _ in range(3):
        start, used = time.perf_counter(), _processor(server)
        look(connection, parse(chosen, now), facets=True, now=now)
        walls.append(time.perf_counter() - start)
        processors.append(_processor(server) - used)
    return Times(walls[0], min(walls), min(processors), chosen)


def _processor(server: int | None) -> float:
    """Seconds that this process and, where it can be seen, the server's have computed."""
    try:
        theirs = int(Path(f"/proc/{server}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9 if server else 0.0
    except OSError:
        theirs = 0.0
    return time.process_time() + theirs


if __name__ == "__main__":
    {"fill": fill, "run": run}[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
