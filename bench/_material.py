"""Logs to measure on, made from the shipped fixtures, kept in a temporary folder."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "logs"
FOLDER = Path(tempfile.gettempdir()) / "triage-bench"
TRIAGE = [str(Path(sys.executable).with_name("triage"))]


def verbose_log(size: int) -> Path:
    """A verbose TensorRT build log of ``size`` bytes whose last lines fail."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"verbose-{size}.log"
    failing = (FIXTURES / "trt86-profile-missing-bert-mask" / "log.txt").read_bytes()
    if path.exists() and path.stat().st_size >= size:
        return path
    base = (FIXTURES / "trt86-ok-resnet-verbose" / "log.txt").read_bytes()
    base = base.replace(b"Inference OK", b"Inference done")
    with path.open("wb") as stream:
        number = 0
        while stream.tell() < size - len(failing):
            stream.write(base.replace(b"10:44:", b"%02d:%02d:" % (number // 60 % 24, number % 60)))
            number += 1
        stream.write(failing)
    return path


def many_logs(count: int, total: int) -> list[Path]:
    """``count`` mixed logs of ``total`` bytes together: the fixtures, some padded with verbose lines."""
    folder = FOLDER / f"many-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    base = (FIXTURES / "trt86-ok-resnet-verbose" / "log.txt").read_bytes()
    sources = [path.read_bytes() for path in sorted(FIXTURES.glob("*/log.txt"))]
    mean = total // count
    paths = []
    for number in range(count):
        path = folder / f"{number:05}.log"
        if not path.exists():
            log = sources[number % len(sources)]
            path.write_bytes(base[: max(0, 2 * mean - len(log)) if number % 2 else 0] + log)
        paths.append(path)
    return paths


def median_seconds_to(
    command: list[str], mark: bytes, environment: dict[str, str], runs: int = 15
) -> tuple[float, float]:
    """Median times until a mark stands on standard output, and until the process ended."""
    shown, ended = [], []
    for _ in range(runs):
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
            read = b""
            while mark not in read:
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise SystemExit(f"{command} never said {mark!r}")
                read += piece
            shown.append(time.perf_counter() - start)
            process.communicate()
        ended.append(time.perf_counter() - start)
    return statistics.median(shown), statistics.median(ended)


def median_seconds(command: list[str], runs: int = 15) -> float:
    """Median wall time of a whole process."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds_and_peak(command: list[str]) -> tuple[float, float]:
    """Wall time of a whole process and the most memory it held, in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def ripgrep_patterns() -> Path:
    """All rule patterns in ripgrep's syntax. Bounded holes are opened, or it would not compile them."""
    from triage.library import load_library

    lines = load_library().rulebook.written_patterns()
    loose = [re.sub(r"\{\d+,\d*\}\??", "*", re.sub(r"\(\?P<\w+>", "(?:", line)) for line in lines]
    loose = [re.sub(r"\\(.)", _unescaped, line) for line in loose]
    path = FOLDER / "patterns.txt"
    FOLDER.mkdir(exist_ok=True)
    path.write_text("\n".join(loose) + "\n")
    return path


def _unescaped(match: re.Match[str]) -> str:
    """Ripgrep takes no needless escapes."""
    return match[1] if match[1] in "\"'`<>/@#%,:;= " else match[0]
