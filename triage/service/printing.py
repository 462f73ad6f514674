"""The prints of a log that still grows, made beside the build.

A long log is printed by a process of its own with the lowest priority: in ours it would hold up the threads that carry
the build's output on. It reads the same file, so that it is at the end when the build is.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from threading import Event

from triage.diagnose.baseline import line_prints
from triage.runner import Capture

LONG = 8 << 20  # bytes; what is shorter is printed here, in less time than a process takes to start
_LOOK = 0.05
_CHUNK = 1 << 20


def prints_of(capture: Capture, useless: Event) -> bytes:
    """The prints of the whole log, once nothing more is added; empty where ``useless`` is set by then."""
    while not capture.wait(_LOOK):
        if capture.size >= LONG and capture.whole:
            return _by_child(capture, useless)
    return b"" if useless.is_set() else line_prints(capture.chunks())


def _by_child(capture: Capture, useless: Event) -> bytes:
    command = [sys.executable, "-P", "-m", __name__, str(capture.path)]
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        child = None
    while not capture.wait(60):
        continue
    if child is None or useless.is_set() or not capture.whole:
        if child:
            child.kill()
            child.communicate()
        return b"" if useless.is_set() else line_prints(capture.chunks())
    prints, _ = child.communicate(str(capture.size).encode())
    return prints if child.returncode == 0 else line_prints(capture.chunks())


def _growing(path: str) -> Iterator[bytes]:
    """A file up to the size that standard input tells in the end."""
    told: int | None = None
    position = 0
    with open(path, "rb", buffering=0) as stream:
        while told is None or position < told:
            if told is None and select.select([0], [], [], 0)[0]:
                told = int(os.read(0, 100))  # nothing at all: our parent is gone, and so are we
            data = stream.read(_CHUNK) if told is not None or os.path.getsize(path) - position >= _CHUNK else b""
            position += len(data)
            if data:
                yield data
            elif told is None:
                select.select([0], [], [], _LOOK)


if __name__ == "__main__":
    os.nice(19)
    sys.stdout.buffer.write(line_prints(_growing(sys.argv[1])))
