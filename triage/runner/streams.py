"""The pipes or pseudo-terminals between a command and our outputs, and who pumps them."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

from triage.runner.capture import Capture

PIPE = 1 << 20  # bytes that a pipe may hold: the command seldom waits for us
_CHUNK = 1 << 18
_BUSY = 0.004  # seconds: output that follows sooner is let gather in the pipe
_LONGEST = 1 << 16  # bytes of a line that the log waits for
_GATHER = 0.002  # seconds; nobody sees them, and each wake-up of ours costs the command time
_TICK = 0.02  # seconds between looks at a pump that does not end


class Line(NamedTuple):
    """One stream: the end that the command writes to, the end we read, where it goes on to."""

    written: int
    read: int
    target: int
    terminal: bool


class Wiring:
    """The streams of one command; both of its outputs share one where ours do."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self._lines = lines
        self.stdout = lines[0].written
        self.stderr = lines[-1].written

    def pumps(self, log: Capture) -> list[Pump]:
        """One thread a stream, not yet started; each closes its end when it is done."""
        return [Pump(line.read, line.target, log) for line in self._lines]

    def close_child_side(self) -> None:
        """Once the command has its ends, ours must go, or the end of its output would never be seen."""
        for line in self._lines:
            os.close(line.written)

    def close(self) -> None:
        """Closes everything: no command was started."""
        self.close_child_side()
        for line in self._lines:
            os.close(line.read)

    def resize(self) -> bool:
        """Gives the pseudo-terminals the size of the real ones; False where there is none."""
        found = False
        for line in self._lines:
            if line.terminal:
                found = True
                with suppress(OSError):
                    _copy_size(line.target, line.read)
        return found


def wire(stdout: int, stderr: int) -> Wiring:
    """Streams to our two outputs; one for both where they are the same file, pipe or terminal."""
    first = _line(stdout)
    if os.path.samestat(os.fstat(stdout), os.fstat(stderr)):
        return Wiring((first,))
    return Wiring((first, _line(stderr)))


def _line(target: int) -> Line:
    if os.isatty(target):
        with suppress(OSError, ImportError):  # no pseudo-terminals here: a pipe serves
            return _terminal(target)
    read, written = os.pipe()
    with suppress(OSError, ImportError, AttributeError):
        import fcntl

        fcntl.fcntl(written, fcntl.F_SETPIPE_SZ, PIPE)
    return Line(written, read, target, False)


def _terminal(target: int) -> Line:
    """A pseudo-terminal like the real one, but for what the real one does to output: once is enough."""
    import termios

    master, slave = os.openpty()
    try:
        modes = termios.tcgetattr(target)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        _copy_size(target, master)
    except (OSError, termios.error):
        os.close(master)
        os.close(slave)
        raise OSError("this terminal cannot be copied") from None
    return Line(slave, master, target, True)


def _copy_size(source: int, target: int) -> None:
    import termios

    try:
        termios.tcsetwinsize(target, termios.tcgetwinsize(source))
    except termios.error as fault:
        raise OSError(*fault.args) from None


class Pump(Thread):
    """Carries one stream from the command to our output and into the log.

    ``fault`` says why the output did not take everything. A reader that went away
    closes the stream, so the command's next write fails as it would without us.
    The log takes whole lines only: where two streams meet in it, neither cuts a line of the other.
    """

    def __init__(self, source: int, target: int, log: Capture) -> None:
        super().__init__(name=f"output {target}", daemon=True)
        self.fault: str | None = None
        self._source, self._target, self._log = source, target, log
        self._waiting = True
        self._taken = 0
        self._given_up = False
        self._begun = b""  # of a line whose end has not come yet

    def run(self) -> None:
        """Until the stream ends, its reader goes away, or the pump is given up."""
        passing = True
        while True:
            asked = time.monotonic()
            self._waiting = True
            data = self._next()
            self._waiting = False
            if not data or self._given_up:
                break
            self._taken += len(data)
            self._keep(data)
            try:
                if passing:
                    _write(self._target, data)
            except BrokenPipeError:
                break
            except OSError as fault:  # a full disk behind our output: the log goes on
                passing = False
                self.fault = f"output {self._target} takes no more: {fault.strerror}"
            if len(data) < _CHUNK and time.monotonic() - asked < _BUSY:
                time.sleep(_GATHER)
        self._end_line()
        os.close(self._source)

    def _keep(self, data: bytes) -> None:
        text = self._begun + data
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if len(text) - end > _LONGEST:
            end = len(text)
        if end:
            self._log.add(text[:end])
        self._begun = text[end:]

    def _end_line(self) -> None:
        """What came of a line that will not be ended any more."""
        begun, self._begun = self._begun, b""
        if begun:
            self._log.add(begun)

    def _next(self) -> bytes:
        try:
            return os.read(self._source, _CHUNK)
        except OSError:  # how a pseudo-terminal says that nobody writes any more
            return b""

    def drain(self, ended: float, grace: float, stopped: Callable[[], bool]) -> None:
        """Waits for the end of the stream after the command ended, at ``ended`` of the monotonic clock.

        All that the command itself wrote is read, however slow our reader is: up to the moment
        when the stream is empty, or a pipe full. More comes from a process that it left behind;
        that is listened to for the grace time (seconds) and no longer.
        """
        before, empty = self._taken, False
        while self.is_alive() and not stopped():
            self.join(_TICK)
            empty = empty or (self._waiting and not _readable(self._source))
            foreign = empty or self._taken - before > PIPE
            if foreign and time.monotonic() - ended > grace:
                break
        self._given_up = self.is_alive()
        if self._given_up:
            self._end_line()


def _readable(source: int) -> bool:
    try:
        return bool(select.select([source], [], [], 0)[0])
    except (OSError, ValueError):  # closed meanwhile, or a system where pipes cannot be asked
        return False


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:  # somebody made our output non-blocking
            select.select([], [target], [])
