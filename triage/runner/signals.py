"""Signals that are sent to us go on to the command; those that it got itself do not.

Without a terminal the command leads a process group of its own and signals go to
the whole group. With a terminal it stays in ours, so that it can read the terminal
and be stopped and continued like any job; a key such as Ctrl-C then reaches it
from the kernel, and only what another process sent to us is passed on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from subprocess import Popen
from types import FrameType, TracebackType
from typing import Any, Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
PASSED = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_KEYS = frozenset(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
_RESIZED: int | None = getattr(signal, "SIGWINCH", None)
_FROM_KERNEL = 0x80  # si_code of a signal that the terminal's driver sent


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True


class Relay:
    """Passes signals on while it is entered; a signal that was ignored before stays ignored by both.

    ``stopped`` turns true when a signal comes after the command ended: nobody is left to get it.
    Outside the main thread, where no handler can be set, it does nothing.
    """

    def __init__(self, *, own_group: bool) -> None:
        self.stopped = False
        self._own_group = own_group
        self._process: Popen[bytes] | None = None
        self._resize: Callable[[], bool] = bool
        self._early: list[tuple[int, bool]] = []
        self._before: dict[int, Any] = {}
        self._watcher: threading.Thread | None = None
        self._done = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            wanted = (*PASSED, *([_RESIZED] if _RESIZED is not None else []))
            for number in wanted:
                old = signal.getsignal(number)
                if old is not None and (old is not signal.SIG_IGN or number == _RESIZED):
                    self._before[number] = old
                    signal.signal(number, self._caught)
        return self

    def watch(self, process: Popen[bytes], resize: Callable[[], bool]) -> None:
        """From now on signals go to this process; call it before other threads are started.

        A thread waits for them, because only so is it told who sent one.
        """
        self._process, self._resize = process, resize
        for number, own in self._early:
            self._pass_on(number, own)
        if self._before and hasattr(signal, "sigwaitinfo"):
            signal.pthread_sigmask(signal.SIG_BLOCK, self._before)
            self._watcher = threading.Thread(target=self._wait, name="signals", daemon=True)
            self._watcher.start()

    def _wait(self) -> None:
        while True:
            info = signal.sigwaitinfo(self._before)
            if self._done:
                return
            self._pass_on(info.si_signo, info.si_code == _FROM_KERNEL)

    def _caught(self, number: int, _: FrameType | None) -> None:
        """Where nobody says who sent it, keys are taken to come from the terminal."""
        from_terminal = not self._own_group and number in _KEYS
        if self._process is None:
            self._early.append((number, from_terminal))
        else:
            self._pass_on(number, from_terminal)

    def _pass_on(self, number: int, from_terminal: bool) -> None:
        process = self._process
        if process is None:
            return
        if number == _RESIZED:
            if self._resize() and process.returncode is None:
                _send(process.pid, number, group=self._own_group)
        elif process.returncode is not None:
            self.stopped = True
        elif not from_terminal or self._own_group:
            _send(process.pid, number, group=self._own_group)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None and self._watcher.ident is not None:
            self._done = True
            signal.pthread_kill(self._watcher.ident, next(iter(self._before)))
            self._watcher.join()
        for number, old in self._before.items():
            signal.signal(number, old)
        if self._watcher is not None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._before)


def _send(pid: int, number: int, *, group: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
