"""What ``triage run`` adds to a build that prints 100 MB: wall time against the same build run bare.

usage: python -m bench.runner [ROUNDS]

Both runs alternate, so that a busy machine slows both. The build computes a little
for each line, as builds do; ``flat out`` prints as fast as Python can, which no build does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO

LINE = "[11/20/2026-10:44:04] [TRT] [V] Tactic: 0x{:016x} Time: {:.4f} one line of a verbose build"
BUILD = """
import sys
write, line = sys.stdout.write, sys.argv[1]
for number in range(int(sys.argv[2])):
    value = 0.0
    for step in range(int(sys.argv[3])):
        value += step * 0.5
    write(line.format(number * 7919, value) + chr(10))
"""
WRAPPED = """
import sys
from triage.runner import Capture, run_command
with Capture() as log:
    began = __import__("time").perf_counter()
    run = run_command(sys.argv[1:], keep=log)
    print(run.seconds, run.size, run.cut, file=sys.stderr)
sys.exit(run.exit_code)
"""
SIZE = 100_000_000


def _command(work: int) -> list[str]:
    count = SIZE // (len(LINE.format(1, 1.0)) + 1)
    return [sys.executable, "-c", BUILD, LINE, str(count), str(work)]


def _to_pipe(command: list[str]) -> None:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        stream: IO[bytes] | None = process.stdout
        while stream is not None and stream.read(1 << 16):
            pass


def _to_file(command: list[str]) -> None:
    with tempfile.TemporaryFile() as stream:
        subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=True)


def _seconds(run: Callable[[list[str]], None], command: list[str]) -> float:
    began = time.perf_counter()
    run(command)
    return time.perf_counter() - began


def measure(name: str, work: int, rounds: int) -> None:
    """Prints the median of the ratios of neighbouring runs, and the ratio of the fastest ones."""
    command = _command(work)
    wrapped = [sys.executable, "-c", WRAPPED, *command]
    for kind, run in (("file", _to_file), ("pipe", _to_pipe)):
        bare, ours = [], []
        for number in range(rounds):
            pair = [(bare, command), (ours, wrapped)]
            for times, which in pair if number % 2 else pair[::-1]:
                times.append(_seconds(run, which))
        ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True))
        print(
            f"{name}, output to a {kind}: bare {min(bare):.2f} s, run by triage {min(ours):.2f} s; "
            f"median ratio {ratio:.3f}, ratio of the fastest {min(ours) / min(bare):.3f}"
        )


if __name__ == "__main__":
    times = int(sys.argv[1]) if sys.argv[1:] else 7
    os.environ["PYTHONPATH"] = os.getcwd()
    measure("a build", 60, times)
    measure("flat out", 0, times)
