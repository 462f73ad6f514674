"""Runs a build as if it ran bare, and keeps its output: live streams, same exit code, signals passed on.

What the command finds is what it would find without triage: standard input is
inherited, a terminal stays a terminal (a pseudo-terminal of the same size stands
in), and where both our outputs go to one place the command writes into one pipe,
so that the order of its two streams is its own.

Where the reader of our output went away, the command's pipe is closed too: its
next write fails as it would bare. A process that the command left behind is listened
to for a grace time only; what it writes after we ended finds no reader.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from triage.errors import UsageError
from triage.runner.capture import Capture
from triage.runner.signals import Relay, has_terminal
from triage.runner.streams import Wiring, wire

__all__ = ["ENDING", "GRACE", "NOT_EXECUTABLE", "NOT_FOUND", "Capture", "Run", "run_command"]

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as shells say it
ENDING = "Process completed with exit code"  # the last line of the log of a run that failed
GRACE = 2.0  # seconds after the command ended; a pipe that others still hold open is given up then


class Run(NamedTuple):
    """One run of a command.

    ``exit_code`` is what a shell would say: the command's own, 128 + N where signal N
    ended it (``signal`` is N then), 127 not found, 126 not executable. ``started`` is
    UTC; ``log`` is the path of what it printed while the Capture is open, None where
    nothing could be written; ``size`` counts all bytes printed, ``cut`` those of them
    that were not kept; ``note`` says what went wrong with keeping or passing on.
    """

    command: tuple[str, ...]
    exit_code: int
    signal: int | None
    started: datetime
    seconds: float
    log: str | None
    size: int
    cut: int
    note: str | None = None


def run_command(
    command: Sequence[str],
    *,
    keep: Capture,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    outputs: tuple[int, int] = (1, 2),
    grace: float = GRACE,
) -> Run:
    """Runs a command to its end.

    Args:
        command: program and arguments; no shell reads them.
        keep: takes what the command prints, in the order of arrival.
        env: the command's environment; default ours.
        cwd: the folder to run it in; default ours.
        outputs: descriptors that the command's two streams are passed on to.
        grace: seconds for which a process that the command left behind is listened to.

    Raises:
        UsageError: the command is empty, or the folder to run it in is not there.
    """
    words = _checked(command, cwd)
    _flush()
    _fill_closed()
    started, clock = datetime.now(UTC), time.perf_counter()
    shared = has_terminal()
    with Relay(own_group=not shared) as relay:
        wiring = wire(*outputs)
        try:
            process = _start(words, wiring, env, cwd, own_group=not shared)
        except OSError as fault:
            wiring.close()
            code = _say_why(words[0], fault, outputs[1], keep)
            return _run(words, code, started, clock, keep, ())
        pumps = wiring.pumps(keep)
        relay.watch(process, wiring.resize)
        for pump in pumps:
            pump.start()
        code = process.wait()
        for pump in pumps:
            pump.drain(time.monotonic(), grace, lambda: relay.stopped)
    return _run(words, code, started, clock, keep, [pump.fault for pump in pumps if pump.fault])


def _run(
    words: tuple[str, ...], code: int, started: datetime, clock: float, keep: Capture, faults: Sequence[str]
) -> Run:
    keep.flush()
    return Run(
        command=words,
        exit_code=code if code >= 0 else 128 - code,
        signal=-code if code < 0 else None,
        started=started,
        seconds=time.perf_counter() - clock,
        log=keep.path,
        size=keep.size,
        cut=keep.cut,
        note="; ".join([*faults, *([keep.fault] if keep.fault else [])]) or None,
    )


def _checked(command: Sequence[str], cwd: str | None) -> tuple[str, ...]:
    words = tuple(os.fspath(word) for word in command)
    if not words or not words[0]:
        raise UsageError("no command to run. Type: triage run -- COMMAND ARGUMENTS")
    if any("\0" in word for word in words):
        raise UsageError("a command cannot hold a zero byte")
    if cwd is not None and not os.path.isdir(cwd):
        raise UsageError(f"no folder {cwd} to run the command in")
    return words


def _flush() -> None:
    """What we said before comes before what the command says."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                continue


def _fill_closed() -> None:
    """A closed standard descriptor would be handed out again as one end of a pipe."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _start(
    words: tuple[str, ...], wiring: Wiring, env: Mapping[str, str] | None, cwd: str | None, *, own_group: bool
) -> subprocess.Popen[bytes]:
    def spawn(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdout=wiring.stdout,
            stderr=wiring.stderr,
            env=env,
            cwd=cwd,
            process_group=0 if own_group and os.name == "posix" else None,
        )

    try:
        process = spawn(words)
    except OSError as fault:
        script = _script(words[0], env, cwd) if fault.errno == errno.ENOEXEC else None
        if script is None:
            raise
        process = spawn(("/bin/sh", script, *words[1:]))  # a script without a first line, as every shell does
    wiring.close_child_side()
    return process


def _script(word: str, env: Mapping[str, str] | None, cwd: str | None) -> str | None:
    """Path of a text file that the system would not start by itself; None for other files."""
    from shutil import which

    place = os.path.join(cwd, word) if cwd and os.path.dirname(word) else word
    path = which(place, path=(os.environ if env is None else env).get("PATH"))
    if path is None:
        return None
    with open(path, "rb") as stream:
        return None if b"\0" in stream.read(512) else os.path.abspath(path)


def _say_why(word: str, fault: OSError, output: int, keep: Capture) -> int:
    """Tells on the error stream and in the log why nothing ran; gives the exit code."""
    missing = isinstance(fault, FileNotFoundError | NotADirectoryError)
    if missing and os.path.dirname(word) and os.path.exists(word):
        reason = "the interpreter that its first line names is missing"
    elif missing:
        reason = "command not found"
    else:
        reason = f"cannot be executed: {os.strerror(fault.errno or 0)}"
    text = f"triage: {word}: {reason}\n".encode("utf-8", "backslashreplace")
    keep.add(text)
    with suppress(OSError):  # nobody reads; the exit code tells
        os.write(output, text)
    return NOT_FOUND if missing else NOT_EXECUTABLE
