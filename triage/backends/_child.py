"""Runs one command as a child process within limits; whatever happens, a BuildResult comes back."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import psutil

from triage.remedy import BuildResult, BuildSpec

MARK = "TRIAGE_BUILD"  # in the environment of everything that a build starts, so that all of it can be found
_TICK, _LONG_TICK = 0.02, 0.25
_NOT_STARTED = (126, 127)
_PATIENCE = 3.0  # seconds between asking a process to end and ending it
_ROUNDS = 20  # of killing what starts itself again
_GUARD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "workspace", "_guard.py")

# what a shell says of a command that a signal ended
_ENDINGS = {
    signal.SIGKILL: "Killed", signal.SIGSEGV: "Segmentation fault (core dumped)",
    signal.SIGABRT: "Aborted (core dumped)",
    signal.SIGBUS: "Bus error (core dumped)", signal.SIGILL: "Illegal instruction (core dumped)",
    signal.SIGFPE: "Floating point exception (core dumped)", signal.SIGTERM: "Terminated",
}  # fmt: skip


_stop: ContextVar[Callable[[], bool] | None] = ContextVar("stop", default=None)


@contextmanager
def stoppable(stop: Callable[[], bool]) -> Iterator[None]:
    """Every run inside asks ``stop`` again and again; True is to a thread what Ctrl-C is to a program.

    The run ends its processes then, and KeyboardInterrupt is raised.
    """
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


def run(spec: BuildSpec, watch: Callable[[float], bool] = lambda _: True) -> BuildResult:
    """Runs a command to its end or to a limit; leaves no process behind.

    Args:
        spec: what to run, where, and within which limits.
        watch: is told the seconds so far, again and again; False interrupts the run.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    clock = time.monotonic()
    os.makedirs(os.path.dirname(spec.log), exist_ok=True)
    with open(spec.log, "wb") as log:
        try:
            process = subprocess.Popen(
                _words(spec), cwd=spec.folder, env=_environment(spec, mark), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as fault:
            what = spec.command[0] if os.path.isdir(spec.folder) else spec.folder
            return BuildResult(127, "not-started", 0.0, spec.log, f"{what}: {fault.strerror}")
        try:
            ended, why = _wait(process, spec, clock, watch)
        except BaseException:
            _end_all(process, mark)
            raise
        _end_all(process, mark)
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    if ended == "exit" and code in _NOT_STARTED and os.path.getsize(spec.log) < 4096:
        ended, why = "not-started", _tail(spec.log)
    _say_ending(spec.log, ended, code, process.returncode, why)
    return BuildResult(code, ended, time.monotonic() - clock, spec.log, why)


def sweep() -> None:
    """Ends what killed repairs of this user left running: marked processes whose repair is gone."""
    for process in psutil.process_iter():
        try:
            owner = process.environ().get(MARK, "").partition("-")[0]
            if owner.isdigit() and process.pid != os.getpid() and not psutil.pid_exists(int(owner)):
                process.kill()
        except (psutil.Error, OSError):
            continue


def interpreter() -> str:
    """The Python that a build means by ``python``: the first on the path, else ours."""
    return shutil.which("python") or shutil.which("python3") or sys.executable


def _words(spec: BuildSpec) -> list[str]:
    words = list(spec.command)
    if words[0] in ("python", "python3") and shutil.which(words[0], path=_path(spec)) is None:
        words[0] = interpreter()
    if spec.guarded and sys.platform.startswith("linux"):
        return [sys.executable, "-S", "-E", _GUARD, spec.guarded, *words]
    return words


def _path(spec: BuildSpec) -> str | None:
    return spec.environment.get("PATH", os.environ.get("PATH"))


def _environment(spec: BuildSpec, mark: str) -> dict[str, str]:
    """Ours, with what makes crashes readable; temporary files stay in the build's own place."""
    marks = f"{os.environ.get(MARK, '')} {mark}".strip()  # a run inside a run belongs to both
    own = {"PYTHONFAULTHANDLER": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", MARK: marks}
    return {**os.environ, **own, **spec.environment}


def _wait(
    process: subprocess.Popen[bytes], spec: BuildSpec, clock: float, watch: Callable[[float], bool]
) -> tuple[str, str]:
    tick, looked, stop = _TICK, 0.0, _stop.get()
    while True:
        if stop is not None and stop():
            raise KeyboardInterrupt
        try:
            process.wait(tick)
        except subprocess.TimeoutExpired:
            tick = min(tick * 1.5, _LONG_TICK)
        else:
            return "exit", ""
        spent = time.monotonic() - clock
        if not watch(spent):
            return "interrupted", "interrupted"
        if spent > spec.limits.seconds:
            return "timeout", f"it did not end within {spec.limits.seconds:g} s"
        if spent - looked > _LONG_TICK:
            looked = spent
            broken = _broken_limit(process, spec)
            if broken:
                return broken


def _broken_limit(process: subprocess.Popen[bytes], spec: BuildSpec) -> tuple[str, str] | None:
    limits = spec.limits
    if os.path.getsize(spec.log) > limits.log:
        return "log", f"it printed more than {limits.log >> 20} MiB"
    if shutil.disk_usage(spec.folder).free < limits.free_disk:
        return "disk", f"less than {limits.free_disk >> 20} MiB are free in {spec.folder}"
    if limits.memory and _memory(process.pid) > limits.memory:
        return "memory", f"it took more than {limits.memory / (1 << 30):.1f} GiB of memory"
    return None


def _memory(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _end_all(process: subprocess.Popen[bytes], mark: str) -> None:
    """Ends the command and everything that it started, also what moved to a session of its own."""
    left = list(_marked(mark, process.pid))
    for one in left:
        with suppress(psutil.Error):
            one.terminate()
    _, alive = psutil.wait_procs(left, timeout=_PATIENCE if left else 0)
    for _ in range(_ROUNDS):
        for one in alive:
            with suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(alive, timeout=_PATIENCE)
        alive = list(_marked(mark, process.pid))
        if not alive:  # else something started itself again meanwhile
            break
    process.wait()


def _marked(mark: str, pid: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            known = process.pid == pid or mark in process.environ().get(MARK, "").split()
            if known and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue


def _say_ending(path: str, ended: str, code: int, raw: int, why: str) -> None:
    """Ends the log as a shell or a CI system would, so that it is read like any other."""
    if ended == "exit" and raw == 0:
        return
    words = _ENDINGS.get(signal.Signals(-raw)) if ended == "exit" and -raw in set(signal.Signals) else None
    text = words or (f"Process completed with exit code {code}." if ended == "exit" else f"triage: stopped: {why}")
    with suppress(OSError), open(path, "ab") as log:
        log.write(f"\n{text}\n".encode())


def _tail(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        lines = [line.strip() for line in stream if line.strip()]
    return lines[-1][:300] if lines else "it could not be started"
