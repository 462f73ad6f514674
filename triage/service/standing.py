"""How the failures of a report stand in the history of their job, as the archive has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from triage.archive import schema
from triage.archive.history import now
from triage.archive.session import Archive
from triage.archive.standing import MOST, Kind, Own, Ran, Run, builds_of, groups_of, having, own_build, runs_of
from triage.environment import origin_of
from triage.errors import TriageError
from triage.ingest.text import plain
from triage.records import Incident, Job, Report, Standing
from triage.service.judging import DAYS, Build, History, judged, names

WAIT = 2.0  # seconds for a locked archive: a comment that comes late is worth more than its history
WEIGHED = 100  # builds whose run is looked up
_MAIN = ("main", "master")  # where nobody says which branch is the default


def standing(report: Report, job: Job, *, with_archive: bool = True) -> Standing:
    """How the primary failure of a report stands."""
    found = standings(report, job, with_archive=with_archive)
    return found[0][1] if found else Standing("unknown", "The log shows no failure.")


def standings(report: Report, job: Job, *, with_archive: bool = True) -> list[tuple[Incident, Standing]]:
    """How each independent failure of a report stands, the primary one first.

    Args:
        report: filed or not; where it was filed, its own build is left out of the history.
        job: where it comes from.
        with_archive: whether to ask the archive. One that cannot be asked costs its part of the reason, no more.
    """
    diagnosis = report.diagnosis
    first = diagnosis.primary
    failures = [one for one in diagnosis.incidents if one.consequence_of is None] if first is not None else []
    failures.sort(key=lambda one: one is not diagnosis.incidents[first or 0])
    histories: list[History | None] = [None] * len(failures)
    missing = "the archive was not asked"
    if with_archive and failures:
        try:
            histories = list(_histories(report, failures, job))
        except TriageError as fault:
            missing = f"the archive could not be asked: {plain(str(fault))[:300].rstrip('.')}"
    return [
        (failure, judged(failure.causes[0] if failure.causes else None, history, missing))
        for failure, history in zip(failures, histories, strict=True)
    ]


def _histories(report: Report, failures: Sequence[Incident], job: Job) -> list[History]:
    """The history of each failure. Raises ArchiveFault."""
    with Archive(wait=WAIT) as archive:
        if schema.standing(archive).kind in (schema.ABSENT, schema.EMPTY):
            return [History((), _main_of(job, ()), ())] * len(failures)
        schema.require(archive)
        with archive.read() as connection:
            own = own_build(connection, [one.id for one in failures if one.id])
            kind = _kind(report, job, own)
            since = now() - timedelta(days=DAYS)
            ran = builds_of(connection, kind, since)
            groups = groups_of(connection, failures)
            had = having(connection, kind, since, {group for group in groups if group is not None})
            main = _main_of(job, {one.branch for one in ran})
            here = {name for name in (job.branch, origin_of(job).branch, own.branch if own else None) if name}
            runs = runs_of(connection, _of_weight(ran, had, {*names(main), *here}, {job.commit, own and own.commit}))
    others = _others(ran, runs, own, job)
    if own and own.branch in names(main):
        others = [run for run in others if run[0].at <= own.at]
    full = len(ran) == MOST
    return [
        History([_build(run, had.get(group or 0, ()), runs) for run in others], main, here, full) for group in groups
    ]


def _of_weight(
    ran: Sequence[Ran], had: Mapping[int, Collection[int]], branches: Collection[str], commits: Collection[str | None]
) -> list[int]:
    """The builds that can decide: of these branches, and at commits where the failure was, the newest of each."""
    failed = set().union(*had.values())
    of_branch = [one.id for one in ran if one.branch in branches][:WEIGHED]
    suspects = {one.commit for one in [one for one in ran if one.id in failed][:WEIGHED]} | set(commits)
    return of_branch + [one.id for one in ran if one.commit and one.commit in suspects][: 2 * WEIGHED]


def _kind(report: Report, job: Job, own: Own | None) -> Kind:
    """Which builds are compared: those that were filed as this one was, and in every other form of its repository."""
    where = origin_of(job)
    forms = [own.repository if own else None, job.repository, *_clones(job)]
    repositories = tuple(dict.fromkeys(form for form in forms if form))
    name = own.job if own else where.job
    return Kind(repositories, name, own.target if own else None, report.source)


def _clones(job: Job) -> list[str]:
    """The addresses from which a repository is cloned: some systems file builds under them."""
    if not job.repository or not job.api:
        return []
    server = job.api.partition("://")[2].partition("/")[0].removeprefix("api.")
    return [
        form + job.repository + end
        for form in (f"https://{server}/", f"git@{server}:", f"ssh://git@{server}/")
        for end in (".git", "")
    ]


def _others(ran: Sequence[Ran], runs: Mapping[int, Run], own: Own | None, job: Job) -> list[list[Ran]]:
    """The filings of each other run, newest first."""
    ours = {own.id} if own else set()
    pages = {page for page in (job.run_url, own.run_url if own else None) if page}
    found: dict[str | int, list[Ran]] = {}
    for one in ran:
        page = runs[one.id].url if one.id in runs else None
        if one.id not in ours and page not in pages:
            found.setdefault(page or one.id, []).append(one)
    return list(found.values())


def _build(run: Sequence[Ran], had: Collection[int], runs: Mapping[int, Run]) -> Build:
    newest = run[0]
    return Build(
        at=newest.at,
        passed=all(one.outcome == "passed" for one in run),
        had=any(one.id in had and one.outcome != "passed" for one in run),
        branch=newest.branch,
        commit=newest.commit,
        clean=newest.id in runs and runs[newest.id].ci is not None,
    )


def _main_of(job: Job, branches: Collection[str | None]) -> str:
    """The branch to compare with: where the change goes to, else the default branch; one with builds first."""
    stated = [name for name in (job.base, job.default_branch) if name]
    choice = stated or list(_MAIN)
    known = (name for name in choice if any(form in branches for form in names(name)))
    return next(known, job.default_branch or choice[0])
