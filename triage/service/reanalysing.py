"""Today's rules over stored logs, by several processes; what was done survives being killed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from triage.archive import reanalysis
from triage.archive.filing import NewIncident
from triage.archive.session import Archive
from triage.diagnose.normal import incident_text
from triage.library import load_library
from triage.reports._shape import incident_dict
from triage.service.diagnosis import diagnose
from triage.service.opinion import second_opinion

BATCH = 64


class Moved(NamedTuple):
    """One verdict that moved, in words."""

    id: str
    source: str
    before: str | None
    after: str
    rule: str


class State(NamedTuple):
    """How far a re-analysis has come."""

    done: int
    total: int
    moved: tuple[Moved, ...]
    resumed: bool


def reanalyse(archive: Archive, words: str, condition: Any, *, dry_run: bool = False, jobs: int = 0) -> Iterator[State]:
    """Looks at every stored log that the filter names; yields after each batch what moved in it.

    Args:
        archive: where the logs are.
        words: the filter as text: an unfinished run with the same filter and rules is taken up again.
        condition: the same filter as a condition on incidents; None for all.
        dry_run: shows what would move and changes nothing.
        jobs: processes; default one per core.
    """
    edition = load_library().edition
    with archive.read() as connection:
        total = reanalysis.how_many(connection, condition)
    if dry_run:
        run = reanalysis.Progress(0, 0, 0, 0, resumed=False)
    else:
        with archive.write() as connection:
            run = reanalysis.begin(connection, edition, words)
    for builds, moves in _looked_at(archive, run.cursor, condition, jobs or os.cpu_count() or 1):
        run = run._replace(cursor=builds[-1], done=run.done + len(builds), moved=run.moved + len(moves))
        if not dry_run:
            with archive.write() as connection:
                reanalysis.apply(connection, [move for _, move in moves], edition)
                reanalysis.advance(connection, run, edition, builds)
        yield State(run.done, total, tuple(_said(source, move) for source, move in moves), run.resumed)
    if not dry_run:
        with archive.write() as connection:
            reanalysis.finish(connection, run)


Found = tuple[Sequence[int], list[tuple[str, reanalysis.Move]]]


def _looked_at(archive: Archive, cursor: int, condition: Any, jobs: int) -> Iterator[Found]:
    from multiprocessing import get_context

    batches = _batches(archive, cursor, condition)
    address = archive.url.render_as_string(hide_password=False)
    if jobs == 1 or not hasattr(os, "fork"):
        _open(address)
        yield from map(_look, batches)
        return
    with get_context("fork").Pool(jobs, _open, (address,)) as pool:
        yield from pool.imap(_look, batches)


def _batches(archive: Archive, cursor: int, condition: Any) -> Iterator[list[int]]:
    while True:
        with archive.read() as connection:
            builds = reanalysis.builds_after(connection, cursor, BATCH * 16, condition)
        if not builds:
            return
        for start in range(0, len(builds), BATCH):
            yield builds[start : start + BATCH]
        cursor = builds[-1]


_worker: dict[str, Archive] = {}


def _open(address: str) -> None:
    _worker["archive"] = Archive(address)


def _look(builds: list[int]) -> Found:
    """Diagnoses the logs of some builds; runs in a process of its own."""
    library = load_library()
    archive = _worker["archive"]
    with archive.read() as connection:
        works = list(reanalysis.load(connection, builds))
    moves = []
    for work in works:
        report = diagnose(work.log, name=work.source, library=library)
        if report.diagnosis.verdict == "unknown":
            report = second_opinion(report, archive=archive)
        found = [
            NewIncident(failure, incident_text(failure), incident_dict(failure))
            for failure in report.diagnosis.incidents
            if failure.consequence_of is None
        ]
        moves += [(work.source, move) for move in reanalysis.compare(work, found)]
    return builds, moves


def _said(source: str, move: reanalysis.Move) -> Moved:
    old, item = move.incident, move.now
    cause = item.failure.causes[0] if item else None
    return Moved(
        id=old.uid if old else "new",
        source=source,
        before=f"{old.cause} ({old.verdict})" if old else None,
        after=f"{cause.id} ({cause.verdict})" if cause else "no-failure",
        rule=cause.by if cause else "none",
    )
