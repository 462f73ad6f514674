"""``triage run``: a build with its output passed on; good builds become baselines, failed ones incidents.

All that is heavy is loaded, and the log is read, while the build runs: when it ends the verdict is there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from triage.records import Origin, Report
from triage.runner import ENDING, Capture, run_command
from triage.runner import Run as Ran

if TYPE_CHECKING:
    from triage.environment import Environment, Parameters
    from triage.service.diagnosis import Diagnosed
    from triage.service.filing import Run

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


NOT_FILED = "not filed: "


class Kind(NamedTuple):
    """Which builds are compared with each other."""

    model: str | None
    stage: str | None
    target: str | None


class Outcome(NamedTuple):
    """What became of a run; ``report`` is None for a good one, ``remark`` is for standard error.

    ``filed`` is False where the archive could not be used: asking it again would only cost the same wait again.
    """

    exit_code: int
    report: Report | None
    remark: str
    filed: bool = True


def run_build(
    command: Sequence[str],
    kind: Kind,
    *,
    shown: Sequence[str] = (),
    with_archive: bool = True,
    where: Callable[[], Origin] | None = None,
    env: Mapping[str, str] | None = None,
    settled: Callable[[Report], None] = lambda _: None,
    ended: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Runs a build to its end, diagnoses it if it failed, and files it either way.

    Args:
        command: program and arguments.
        kind: what a person said of it; the rest is read from the command.
        shown: the command as a person typed it, where what is run is a script that somebody made of it.
        with_archive: whether to file it and to ask what changed.
        where: asked after the build for the place it is filed under; default what the CI system or git says.
        env: the build's environment; default ours.
        settled: is handed the report before the archive is touched.
        ended: is handed the exit code as soon as the command has ended.
    """
    with Capture() as capture, ThreadPoolExecutor(4) as pool:
        beside = _Beside(pool, capture, shown or command, with_archive=with_archive)
        try:
            ran = run_command(command, keep=capture, env=env)
            ended(ran.exit_code)
            if not _folder():  # the build removed it; libraries that look for it would end us
                os.chdir("/")
            beside.ended(ran)
        finally:
            capture.finish()
        found = beside.reading.result()
        failed = ran.exit_code != 0
        if failed and found.report.diagnosis.verdict == "unknown":
            from triage.service.opinion import second_opinion

            found = found._replace(report=second_opinion(found.report, with_archive=with_archive))
        if failed:
            settled(found.report)
        remark = ran.note or ""
        if not with_archive:
            return Outcome(ran.exit_code, found.report if failed else None, remark, filed=False)
        given = beside.given.result()
        run = _run(ran, _completed(kind, shown or command, given), given, beside, found)
    report, said = _filed(found, run, where)
    remark = "; ".join(filter(None, (remark, said)))
    return Outcome(ran.exit_code, report if failed else None, remark, filed=not said.startswith(NOT_FILED))


class _Beside:
    """What is done beside the build, each in a thread that imports what it needs."""

    def __init__(
        self, pool: ThreadPoolExecutor, capture: Capture, command: Sequence[str], *, with_archive: bool
    ) -> None:
        self.folder = _folder()
        self._ran: Future[Ran] = Future()
        self._failed = Event()
        log = _with_ending(capture.follow(), self._ran)
        self.reading: Future[Diagnosed] = pool.submit(_diagnosed, _name(command), log)
        if with_archive:
            self.given: Future[Parameters] = pool.submit(_parameters, command)
            self.machine: Future[Environment] = pool.submit(_machine, command)
            self.prints: Future[bytes] = pool.submit(_prints, capture, self._failed)

    def ended(self, ran: Ran) -> None:
        """How the command ended; a log of a failed one is no baseline."""
        if ran.exit_code:
            self._failed.set()
        self._ran.set_result(ran)


def _folder() -> str:
    """Where we stand; empty where that folder is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _diagnosed(name: str, chunks: Iterator[bytes]) -> Diagnosed:
    from triage.inputs import Log
    from triage.library import load_library
    from triage.service.diagnosis import diagnose_log

    return diagnose_log(Log(name, chunks), load_library())


def _parameters(command: Sequence[str]) -> Parameters:
    """Also loads what filing needs, so that it is there when the build ends."""
    import triage.service.filing_runs  # noqa: F401
    from triage.environment import parameters

    return parameters(command)


def _machine(command: Sequence[str]) -> Environment:
    from triage.environment import fingerprint

    return fingerprint(command)


def _prints(capture: Capture, useless: Event) -> bytes:
    from triage.service.printing import prints_of

    return prints_of(capture, useless)


def _run(ran: Ran, kind: Kind, given: Parameters, beside: _Beside, found: Diagnosed) -> Run:
    from triage.environment import plain
    from triage.service.filing import Run

    good = ran.exit_code == 0 and found.report.diagnosis.verdict != "named"
    return Run(
        key=f"{ran.started.isoformat()} {os.getpid()}",
        target=kind.target,
        command={"words": list(ran.command), "folder": beside.folder},
        parameters=plain(given),
        seconds=round(ran.seconds, 3),
        exit_code=ran.exit_code,
        environment={"machine": plain(beside.machine.result()), "log": dict(found.report.diagnosis.environment)},
        prints=beside.prints.result() if good else None,
        started=ran.started,
        model=kind.model,
        stage=kind.stage,
    )


def _filed(found: Diagnosed, run: Run, where: Callable[[], Origin] | None) -> tuple[Report, str]:
    from triage.service.filing_runs import file_run

    return file_run(found, run, where() if where else None)


def _with_ending(chunks: Iterator[bytes], ended: Future[Ran]) -> Iterator[bytes]:
    """The log, and below it how the command ended, as a shell or a CI system would print it."""
    last = b"\n"
    for chunk in chunks:
        yield chunk
        last = chunk[-1:] or last
    if not ended.done():  # nothing was started
        return
    ran = ended.result()
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
