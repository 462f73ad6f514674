"""Filing: one incident durably, many at once, eight writers at once; re-analysis of stored logs.

usage: python -m bench.archive [postgresql://…]

Each figure stands beside a limit of this machine in the same run: one synchronous write of a page,
and bare inserts of rows as wide as an incident's through the driver alone.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench._synthetic import incidents
from triage.archive.rows import NewBuild
from triage.archive.schema import require, upgrade
from triage.archive.session import Archive
from triage.errors import SchemaFault
from triage.library import load_library
from triage.records import KeptLog, Origin
from triage.service import diagnose
from triage.service.filing import Run, file, new_build
from triage.service.opinion import second_opinion
from triage.service.reanalysing import reanalyse

SINGLE, BULK, WRITERS, EACH, STORED = 300, 5000, 8, 100, 10_000
START = datetime(2026, 1, 1, tzinfo=UTC)
PADDING = "[11/20/2026-10:26:19] [V] [TRT] Adding reformat layer: Reformatted Input Tensor {n} to Conv_{n}\n"


def builds(count: int, first: int = 0) -> Iterator[NewBuild]:
    """Real diagnoses of synthetic logs of about 5 KB."""
    edition = load_library().edition
    for number, row in enumerate(incidents(count, max(count // 10, 1), seed=first)):
        noise = "".join(PADDING.format(n=first + number + line) for line in range(50))
        log = f"{noise}{row.line}\n{noise[:500]}".encode()
        report = second_opinion(diagnose(log, name=f"{first + number}.log"), with_archive=False)
        kept = KeptLog(log, b"", len(log), log.count(b"\n"))
        where = Origin("box", "github", "org/repo", "main", f"{number:040x}", f"https://ci/{first + number}", "build")
        yield new_build(report, kept, edition, where, Run(started=START + timedelta(minutes=number)))


def one_by_one(archive: Archive) -> float:
    """Median milliseconds of filing one incident, each in a transaction of its own."""
    took = []
    for build in list(builds(SINGLE, 10_000_000)):
        start = time.perf_counter()
        file(archive, [build])
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


def in_bulk(archive: Archive) -> float:
    """Incidents a second in one transaction."""
    many = list(builds(BULK, 20_000_000))
    start = time.perf_counter()
    file(archive, many)
    return BULK / (time.perf_counter() - start)


def writing(url: str, number: int) -> None:
    """One of several writers: waits for the word, files, says when it began and ended."""
    many = list(builds(EACH, 30_000_000 + number * 100_000))
    with Archive(url) as archive:
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.time()
        for build in many:
            file(archive, [build])
        print(start, time.time(), flush=True)


def together(url: str) -> float:
    """Incidents a second with eight writers, from the first beginning to the last end."""
    command = [sys.executable, "-m", "bench.archive", "--writer", url]
    running = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(WRITERS)
    ]
    for process in running:
        process.stdout.readline()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    spans = [tuple(map(float, process.communicate()[0].split())) for process in running]
    if any(process.returncode for process in running):
        raise SystemExit("a writer failed")
    return WRITERS * EACH / (max(end for _, end in spans) - min(start for start, _ in spans))


def again(archive: Archive) -> float:
    """Stored logs a second, all cores, nothing moved."""
    many = list(builds(STORED - BULK, 40_000_000))
    file(archive, many)
    start = time.perf_counter()
    states = list(reanalyse(archive, "", None, dry_run=True))
    if any(state.moved for state in states):
        raise SystemExit("something moved")
    return states[-1].done / (time.perf_counter() - start)


def limits(folder: str) -> tuple[float, float]:
    """Milliseconds of one synchronous write of a page, and bare rows a second."""
    took = []
    with open(os.path.join(folder, "page"), "wb", buffering=0) as stream:
        for _ in range(200):
            start = time.perf_counter()
            stream.write(bytes(4096))
            os.fsync(stream.fileno())
            took.append(time.perf_counter() - start)
    bare = sqlite3.connect(os.path.join(folder, "bare.db"), isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
    rows = [("x" * 300, bytes(2000)) for _ in range(20_000)]
    start = time.perf_counter()
    bare.execute("BEGIN")
    bare.executemany("INSERT INTO t (a, b) VALUES (?, ?)", rows)
    bare.execute("COMMIT")
    return statistics.median(took) * 1000, len(rows) / (time.perf_counter() - start)


def main() -> None:
    """Runs everything on one database and prints a table."""
    if sys.argv[1:2] == ["--writer"]:
        writing(sys.argv[2], int(sys.argv[3]))
        return
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'archive.db'}"
        with Archive(url) as archive:
            try:
                require(archive)
            except SchemaFault:
                upgrade(archive)
            page, bare = limits(folder)
            print(f"database: {archive.url.drivername}")
            print(
                f"one incident, durably, median   {one_by_one(archive):8.2f} ms   (a synchronous page: {page:.2f} ms)"
            )
            print(
                f"in bulk                         {in_bulk(archive):8.0f} /s   (bare rows of that size: {bare:.0f} /s)"
            )
            print(f"eight writers at once           {together(url):8.0f} /s")
            print(f"re-analysis, 2 processes        {again(archive):8.0f} logs/s")


if __name__ == "__main__":
    main()
