"""``triage fix``: repairs a build on a copy, files what was tried, and leaves the cure behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from triage import discovery
from triage.archive.repairs import NewRepair, file_repair, what_worked
from triage.backends._child import stoppable, sweep
from triage.compare.files import Places
from triage.compare.prove import prove
from triage.environment import fingerprint, origin
from triage.errors import TriageError, UsageError
from triage.folders import data_home
from triage.inputs import Log
from triage.library import load_library
from triage.recipe import as_plain, from_plain
from triage.records import Report
from triage.remediate.leave import leave, read_parameters, steps_of
from triage.remediate.loop import Repair, Settings, Tools, Watch
from triage.remediate.state import State
from triage.remedy import BuildResult, Proof, Recipe, Remediation, Step
from triage.service.diagnosis import Diagnosed, diagnose_log
from triage.service.filing import Run, file, new_build, open_archive
from triage.service.opinion import second_opinion
from triage.workspace import Workspace

WORK = ".work"  # in the folder that is left behind, while the repair goes on
LOGS = "logs"
_PID = "pid"
_TOLD = ("torch", "onnx", "onnxruntime", "onnxscript", "tensorrt", "numpy", "transformers", "peft", "polygraphy")


def _never() -> bool:
    return False


class Fixed(NamedTuple):
    """A repair, the report of the failure as it was, and what went wrong with the archive."""

    done: Remediation
    report: Report | None
    remark: str


def fix_build(recipe: Recipe, settings: Settings, watch: Watch, place: str) -> Remediation:
    """Searches a cure; nothing is filed or left behind.

    Args:
        recipe: the build, and what cured means.
        settings: limits, and whether unsafe repairs may be tried.
        watch: is told how it goes on.
        place: a folder of its own for copies and logs.
    """
    return Repair(recipe, settings, _tools(watch, with_archive=False), place).search()


def plan_build(
    recipe: Recipe, settings: Settings, watch: Watch, folder: str, *, with_archive: bool, stop: Callable[[], bool]
) -> Fixed:
    """Runs the build once, and says what would be tried; nothing is filed, and only logs are left behind.

    Args:
        recipe: the build.
        settings: whether unsafe repairs may be tried.
        watch: is told how it goes on.
        folder: an empty one, as ``output_folder`` gives; takes the logs.
        with_archive: whether to ask the archive what worked before.
        stop: is asked again and again; True ends it.

    Raises:
        UsageError: the build's folder cannot be copied.
    """
    clear_leftovers()
    with _place_in(folder) as place, stoppable(stop):
        repair = Repair(recipe, settings._replace(dry=True), _tools(watch, with_archive=with_archive), place)
        done = repair.search()
        _keep_logs(place, folder)
    return Fixed(done._replace(output=folder), repair.start.report if repair.start else None, "")


def fix_and_file(
    recipe: Recipe,
    settings: Settings,
    watch: Watch,
    output: str | None,
    *,
    with_archive: bool,
    steps: Sequence[Step] = (),
    stop: Callable[[], bool] = _never,
) -> Fixed:
    """Searches a cure, files every attempt, and leaves the result behind.

    Args:
        recipe: the build.
        settings: limits.
        watch: is told how it goes on.
        output: where to leave the result; by default a new folder below the data folder.
        with_archive: whether to ask the archive what worked before, and to file.
        steps: only these, one on the other (an earlier repair done again).
        stop: is asked again and again; True ends it as Ctrl-C does.

    Raises:
        UsageError: the folder cannot be copied, or the output folder cannot be used.
    """
    clear_leftovers()
    folder = output_folder(recipe, output)
    with _place_in(folder) as place:
        repair = Repair(recipe, settings, _tools(watch, with_archive=with_archive), place)
        with stoppable(stop):
            done = repair.search(steps)._replace(output=folder)
        report = repair.start.report if repair.start else None
        leave(done, repair.best, repair.base_files, folder, _versions(recipe))
        _keep_logs(place, folder)
        remark = ""
        if with_archive:
            done, remark = _filed(done, repair)
    _write_reports(folder, done, report)
    return Fixed(done, report, remark)


@contextmanager
def _place_in(folder: str) -> Iterator[str]:
    """A place for copies while a repair goes on; what a killed one leaves there is known by its process."""
    place = os.path.join(folder, WORK)
    os.makedirs(place)
    with open(os.path.join(place, _PID), "w", encoding="ascii") as stream:
        stream.write(str(os.getpid()))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _keep_logs(place: str, folder: str) -> None:
    if os.path.isdir(os.path.join(place, LOGS)):
        shutil.move(os.path.join(place, LOGS), os.path.join(folder, LOGS))


def again(path: str) -> tuple[Recipe, list[Step]]:
    """The recipe and the steps of an earlier repair, from its parameters.json.

    Raises:
        UsageError: it is no such file.
    """
    body = read_parameters(path)
    return from_plain(body["recipe"]), steps_of(body)


def fixes_folder() -> str:
    """Where repairs are left by default."""
    return os.path.join(data_home(), "fixes")


def clear_leftovers() -> None:
    """Removes working copies and processes of repairs that were killed."""
    sweep()
    base = fixes_folder()
    for name in os.listdir(base) if os.path.isdir(base) else ():
        place = os.path.join(base, name, WORK)
        if os.path.isdir(place) and not _alive(os.path.join(place, _PID)):
            shutil.rmtree(place, ignore_errors=True)


def _alive(path: str) -> bool:
    try:
        with open(path, encoding="ascii") as stream:
            os.kill(int(stream.read() or 0), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def output_folder(recipe: Recipe, output: str | None = None) -> str:
    """The folder that takes what a repair leaves behind: the one named, else a new one below the data folder.

    Raises:
        UsageError: it is the build's own, it is not empty, or it cannot be made.
    """
    if output is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        first = output = os.path.join(fixes_folder(), f"{recipe.name}-{stamp}-{os.getpid()}")
        count = 1
        while os.path.exists(output):  # the desk repairs more than once in its life
            count += 1
            output = f"{first}-{count}"
    folder = os.path.abspath(output)
    if folder == recipe.folder or recipe.folder.startswith(folder + os.sep):
        raise UsageError(f"--output {output} is the build's own folder. Name another one.")
    try:
        if os.path.isdir(folder) and os.listdir(folder):
            raise UsageError(f"--output {output} is not empty. Name a new folder.")
        os.makedirs(folder, exist_ok=True)
    except OSError as fault:
        raise UsageError(f"--output {output} cannot be made: {fault.strerror}") from None
    return folder


def _tools(watch: Watch, *, with_archive: bool) -> Tools:
    def diagnose(path: str, result: BuildResult) -> Report:
        report = _diagnosed(path).report
        unknown = report.diagnosis.verdict == "unknown"
        return second_opinion(report, with_archive=with_archive) if unknown else report

    return Tools(diagnose, _prove, load_library().knowledge, _worked if with_archive else lambda _: (), watch)


def _diagnosed(path: str) -> Diagnosed:
    with open(path, "rb") as stream:
        return diagnose_log(Log(path, iter(lambda: stream.read(1 << 20), b"")), load_library())


def _prove(recipe: Recipe, state: State, base: Workspace, log: str) -> Proof:
    ran = state.ran or state.workspace
    places = Places(base.root, state.workspace.root, ran.root)
    return prove(recipe, state.command, places, log, keeps=getattr(state, "keeps", True))


def _worked(signature: str | None) -> Sequence[str]:
    try:
        with open_archive() as archive, archive.read() as connection:
            return what_worked(connection, signature)
    except TriageError:
        return ()


def _filed(done: Remediation, repair: Repair) -> tuple[Remediation, str]:
    """Files the failing build as an incident, and the repair with its attempts."""
    start = repair.start
    if start is None or start.result is None or start.good:
        return done, ""
    try:
        found = _diagnosed(os.path.join(done.output or "", LOGS, os.path.basename(start.result.log)))
        found = found._replace(report=start.report._replace(source=_source(done)) if start.report else found.report)
        run = Run(
            key=f"fix {datetime.now(UTC).isoformat()} {os.getpid()}",
            command={"words": list(done.recipe.command), "folder": done.recipe.folder},
            seconds=round(start.result.seconds, 3), exit_code=start.result.exit_code or 1,
        )  # fmt: skip
        with open_archive() as archive:
            (filed,) = file(archive, [new_build(found.report, found.log, load_library().edition, origin(), run)])
            incident = filed.incidents[0] if filed.incidents else None
            with archive.write() as connection:
                file_repair(connection, _rows(done, incident))
    except TriageError as fault:
        return done, f"not filed: {fault}"
    return done._replace(incident=incident), ""


def _source(done: Remediation) -> str:
    return " ".join(done.recipe.command)[:200]


def _rows(done: Remediation, incident: str | None) -> NewRepair:
    columns = {
        "status": done.status, "verified": done.verified, "why": done.why, "cause": done.cause,
        "recipe": as_plain(done.recipe), "output": done.output, "seconds": done.seconds,
    }  # fmt: skip
    attempts = [
        {
            "number": one.number, "parent": one.parent, "fix": one.step.fix, "what": one.step.what,
            "safety": one.step.safety, "parameters": dict(one.step.parameters), "result": one.result,
            "helped": one.number in done.path, "why": one.why, "cause_before": one.cause_before,
            "cause_after": one.cause_after, "signature_before": one.signature_before,
            "signature_after": one.signature_after, "exit_code": one.exit_code, "seconds": one.seconds,
        }
        for one in done.attempts
    ]  # fmt: skip
    return NewRepair(datetime.now(UTC), incident, columns, attempts)


def _versions(recipe: Recipe) -> list[str]:
    machine = fingerprint(recipe.command)
    packages = [f"{name} {machine.packages[name]}" for name in _TOLD if name in machine.packages]
    return [f"Python {machine.python}" if machine.python else f"Python {sys.version.split()[0]}", *packages]


def _write_reports(folder: str, done: Remediation, report: Report | None) -> None:
    endings = {"text/plain": "txt", "application/json": "json", "application/jsonl": "jsonl", "text/markdown": "md"}
    for name in discovery.names("triage.reports"):
        module = discovery.load("triage.reports", name)
        if getattr(module, "WHOLE", False):
            continue  # made for a host or a page of its own
        ending = endings.get(module.MEDIA_TYPE, name)
        with open(os.path.join(folder, f"report.{ending}"), "w", encoding="utf-8", errors="replace") as stream:
            stream.write(module.repair(done, report))
