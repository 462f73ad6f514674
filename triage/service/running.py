"""``triage run``: a build with its output passed on; good builds become baselines, failed ones incidents."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from triage.archive import baselines
from triage.archive.session import Archive
from triage.diagnose.baseline import line_prints
from triage.environment import Environment, Parameters, fingerprint, origin, parameters, plain
from triage.errors import TriageError
from triage.inputs import Log
from triage.library import load_library
from triage.records import Report
from triage.runner import Capture, run_command
from triage.runner import Run as Ran
from triage.service.changing import ENDING, changed
from triage.service.diagnosis import Diagnosed, diagnose_log
from triage.service.filing import Run, file, new_build, open_archive, told
from triage.service.opinion import second_opinion

# what a shell says of a command that a signal ended
_ENDINGS = {
    signal.SIGKILL: "Killed",
    signal.SIGSEGV: "Segmentation fault (core dumped)",
    signal.SIGABRT: "Aborted (core dumped)",
    signal.SIGBUS: "Bus error (core dumped)",
    signal.SIGILL: "Illegal instruction (core dumped)",
    signal.SIGFPE: "Floating point exception (core dumped)",
    signal.SIGTERM: "Terminated",
}


class Kind(NamedTuple):
    """Which builds are compared with each other."""

    model: str | None
    stage: str | None
    target: str | None


class Outcome(NamedTuple):
    """What became of a run; ``report`` is None for a good one, ``remark`` is for standard error."""

    exit_code: int
    report: Report | None
    remark: str


def run_build(
    command: Sequence[str],
    kind: Kind,
    *,
    with_archive: bool = True,
    settled: Callable[[Report], None] = lambda _: None,
) -> Outcome:
    """Runs a build to its end, diagnoses it if it failed, and files it either way.

    Args:
        command: program and arguments.
        kind: what a person said of it; the rest is read from the command.
        with_archive: whether to file it and to ask what changed.
        settled: is handed the report before the archive is touched.
    """
    with Capture() as capture, ThreadPoolExecutor(1) as pool:
        machine = pool.submit(fingerprint, command)
        given = parameters(command)
        ran = run_command(command, keep=capture)
        kind = _completed(kind, command, given)
        found = diagnose_log(Log(_name(command), _with_ending(capture.chunks(), ran)), load_library())
        failed = ran.exit_code != 0
        if failed and found.report.diagnosis.verdict == "unknown":
            found = found._replace(report=second_opinion(found.report, with_archive=with_archive))
        if failed:
            settled(found.report)
        remark = ran.note or ""
        if not with_archive:
            return Outcome(ran.exit_code, found.report if failed else None, remark)
        run = _run(ran, kind, given, machine, found, capture)
    report, said = _filed(found, run)
    return Outcome(ran.exit_code, report if failed else None, "; ".join(filter(None, (remark, said))))


def _run(
    ran: Ran, kind: Kind, given: Parameters, machine: Future[Environment], found: Diagnosed, capture: Capture
) -> Run:
    good = ran.exit_code == 0 and found.report.diagnosis.verdict != "named"
    return Run(
        key=f"{ran.started.isoformat()} {os.getpid()}",
        target=kind.target,
        command={"words": list(ran.command), "folder": os.getcwd()},
        parameters=plain(given),
        seconds=round(ran.seconds, 3),
        exit_code=ran.exit_code,
        environment={"machine": plain(machine.result()), "log": dict(found.report.diagnosis.environment)},
        prints=line_prints(capture.chunks()) if good else None,
        started=ran.started,
        model=kind.model,
        stage=kind.stage,
    )


def _filed(found: Diagnosed, run: Run) -> tuple[Report, str]:
    report = found.report
    try:
        with open_archive() as archive:
            (filed,) = file(archive, [new_build(report, found.log, load_library().edition, origin(), run)])
            if run.exit_code:
                return _told(archive, told(archive, report, filed), filed.build_key), ""
    except TriageError as fault:
        return report, f"not filed: {fault}"
    if run.prints is None:
        cause = report.diagnosis.incidents[0].causes[0]
        return (
            report,
            f"the command succeeded, but line {cause.evidence[0].line} says {cause.id}; not kept as a baseline",
        )
    what = ", ".join(filter(None, (run.model, run.stage, run.target)))
    return report, f"kept as the baseline of {what or 'this command'}"


def _told(archive: Archive, report: Report, key: str) -> Report:
    with archive.read() as connection:
        return report._replace(changed=changed(connection, baselines.build_id(connection, key)))


def _with_ending(chunks: Iterator[bytes], ran: Ran) -> Iterator[bytes]:
    """The log, and below it how the command ended, as a shell or a CI system would print it."""
    last = b"\n"
    for chunk in chunks:
        yield chunk
        last = chunk[-1:] or last
    if ran.exit_code == 0:
        return
    ending = _ENDINGS.get(signal.Signals(ran.signal)) if ran.signal else None
    words = ending or f"{ENDING} {ran.exit_code}."
    yield (b"" if last == b"\n" else b"\n") + words.encode() + b"\n"


def _name(command: Sequence[str]) -> str:
    return " ".join(command)[:200]


def _completed(kind: Kind, command: Sequence[str], given: Parameters) -> Kind:
    """What a person did not say, read from the command: its first model, its program or script."""
    model = kind.model or (os.path.basename(given.models[0].path) if given.models else None)
    scripts = [os.path.basename(path) for path in given.scripts]
    return Kind(model, kind.stage, kind.target or " ".join([os.path.basename(command[0]), *scripts[:1]]))
