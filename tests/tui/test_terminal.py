"""The desk in a real terminal: a pseudo-terminal gives it keys, and takes what it draws."""

import os
import select
import signal
import struct
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
import fcntl  # noqa: E402 -- where there is a pty there are these
import termios  # noqa: E402

FIXTURES = Path(__file__).parents[2] / "fixtures" / "logs"
LOG = FIXTURES / "local-vllm-numba-engine-core" / "log.txt"
WAIT = 90.0
STARTED = b"Paste a failing log"


class Terminal:
    """A program on a pseudo-terminal of 140 by 45."""

    def __init__(self, *arguments, env, stdin=None):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # the program
            if stdin is not None:
                os.dup2(stdin, 0)
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **env})
            os.execv(sys.executable, [sys.executable, "-m", "triage", *arguments])  # noqa: S606
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
        self.before = termios.tcgetattr(self.fd)

    def read(self, seconds):
        """Takes what is drawn for some time; False where the program ended."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                part = os.read(self.fd, 1 << 16)
            except OSError:
                return False
            self.seen += part
            return bool(part)
        return True

    def until(self, *words):
        """Waits until one of the words is drawn."""
        end = time.monotonic() + WAIT
        while not any(word in self.seen for word in words):
            assert time.monotonic() < end, self.seen[-3000:]
            assert self.read(0.1), self.seen[-3000:]
        self.settle()

    def settle(self):
        """Takes what is drawn until it stays quiet."""
        while True:
            size = len(self.seen)
            self.read(0.3)
            if len(self.seen) == size:
                return

    def type(self, data):
        """Sends keys; large texts in pieces, as a terminal does, while what is drawn is taken."""
        for at in range(0, len(data), 512):
            os.write(self.fd, data[at : at + 512])
            self.read(0.001)

    def end(self):
        """Waits for the end; gives the exit code."""
        stop = time.monotonic() + WAIT
        while time.monotonic() < stop and self.read(0.2):
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def start(tmp_path):
    """Starts the program in folders of the test's own."""
    opened = []
    env = {"TRIAGE_DATA_DIR": str(tmp_path / "data"), "TRIAGE_CONFIG_DIR": str(tmp_path / "config")}

    def go(*arguments, stdin=None):
        opened.append(Terminal(*arguments, env=env, stdin=stdin))
        return opened[-1]

    yield go
    for terminal in opened:
        try:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(terminal.fd)


def restored(terminal):
    """What a terminal needs to be usable again: the first screen, a cursor, no mouse, paste as before."""
    tail = terminal.seen[terminal.seen.rindex(b"\x1b[?1049h") :]
    return all(code in tail for code in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l"))


@pytest.mark.parametrize("arguments", [["tui"], []])
def test_a_pasted_log_is_answered_and_q_ends(start, arguments):
    terminal = start(*arguments)
    terminal.until(STARTED)
    terminal.type(b"\x1b[200~" + LOG.read_bytes().replace(b"\n", b"\r") + b"\x1b[201~")
    terminal.until(b"python-dependency-missing")
    terminal.type(b"q")
    assert terminal.end() == 0
    assert restored(terminal)


def test_a_piped_log_is_opened_and_keys_come_from_the_terminal(start):
    out, into = os.pipe()
    terminal = start("tui", stdin=out)
    os.close(out)
    os.write(into, LOG.read_bytes()[:30000])
    os.close(into)
    terminal.until(b"python-dependency-missing")
    terminal.type(b"q")
    assert terminal.end() == 0
    assert restored(terminal)


def test_a_pipe_that_stays_open_does_not_hold_up_the_end(start):
    out, into = os.pipe()
    terminal = start("tui", stdin=out)
    os.close(out)
    terminal.until(STARTED)
    os.write(into, b"first line\n")
    terminal.type(b"q")
    assert terminal.end() == 0
    os.close(into)


def test_a_file_is_opened_with_a_theme(start):
    terminal = start("tui", str(LOG), "--theme", "triage-contrast", "--read-only", "--keys", "vim")
    terminal.until(b"python-dependency-missing")
    terminal.type(b"i")
    terminal.until(b"read-only")
    terminal.type(b"q")
    assert terminal.end() == 0


def test_suspended_and_continued(start):
    terminal = start("tui")
    terminal.until(STARTED)
    terminal.type(b"\x1a")
    end = time.monotonic() + WAIT
    while os.waitpid(terminal.pid, os.WUNTRACED | os.WNOHANG)[0] == 0:
        assert time.monotonic() < end
        terminal.read(0.1)
    assert restored(terminal)
    terminal.seen = b""
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until(STARTED)
    terminal.type(b"q")
    assert terminal.end() == 0


def test_an_unknown_theme_is_told_before_the_screen_changes(start):
    terminal = start("tui", "--theme", "triage-drak")
    assert terminal.end() == 2
    assert b"triage-dark" in terminal.seen
    assert b"\x1b[?1049h" not in terminal.seen
