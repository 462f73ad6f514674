"""Speed: a paste, a cold start, a 50 MB log, a 1 GB log, 10,000 logs.

usage: python -m bench.speed [paste] [cold] [large] [huge] [many]
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench._material import (
    FIXTURES,
    TRIAGE,
    many_logs,
    median_seconds,
    median_seconds_to,
    ripgrep_patterns,
    seconds_and_peak,
    verbose_log,
)


def paste() -> None:
    """A pasted log of about 5 KB in a warm process."""
    from triage import diagnose

    logs = [p.read_bytes() for p in sorted(FIXTURES.glob("*/log.txt")) if 3500 < p.stat().st_size < 6500]
    medians = []
    for log in logs:
        diagnose(log)
        times = []
        for _ in range(25):
            start = time.perf_counter()
            diagnose(log)
            times.append(time.perf_counter() - start)
        medians.append(statistics.median(times) * 1e3)
    print(f"paste: {len(logs)} logs of ~5 KB: median {statistics.median(medians):.2f} ms, worst {max(medians):.2f} ms")


def cold() -> None:
    """A whole process against ``python -c pass``: alone; with an archive until the verdict, and to its end."""
    log = str(FIXTURES / "trt86-profile-missing-bert-mask" / "log.txt")
    bare = median_seconds([sys.executable, "-c", "pass"], 41)
    print(f"python -c pass: {bare * 1e3:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TRIAGE_DATA_DIR": folder}
        subprocess.run(
            [*TRIAGE, "archive", "import", "starter"], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        for form, mark in (("json", b'"verdict"'), ("text", b"NAMED")):
            command = [*TRIAGE, "diagnose", "--format", form, log]
            alone = median_seconds([*command, "--no-archive"], 41)
            shown, ended = median_seconds_to(command, mark, environment, 21)
            print(
                f"cold {form}: {alone / bare:.1f} x without an archive; with one: verdict after {shown / bare:.1f} x,"
                f" the end after {ended / bare:.1f} x ({ended * 1e3:.0f} ms)"
            )
    helped = median_seconds([*TRIAGE, "--help"], 21)
    print(f"cold --help: {helped * 1e3:.0f} ms")


def large() -> None:
    """50 MB against ripgrep with the same patterns."""
    _against_ripgrep(50_000_000, 3)


def huge() -> None:
    """1 GB against ripgrep with the same patterns, and the memory it takes."""
    _against_ripgrep(1_000_000_000, 1)


def _against_ripgrep(size: int, runs: int) -> None:
    log = verbose_log(size)
    subprocess.run(["cat", str(log)], stdout=subprocess.DEVNULL, check=True)  # both read from the page cache
    command = [*TRIAGE, "diagnose", "--no-archive", "--format", "json", str(log)]
    measured = sorted(seconds_and_peak(command) for _ in range(runs))
    ours, peak = measured[len(measured) // 2]
    print(f"{size / 1e6:.0f} MB: {ours:.2f} s, {size / ours / 1e9:.2f} GB/s, peak {peak:.0f} MB")
    if not shutil.which("rg"):
        print("  ripgrep is not installed: nothing to compare with")
        return
    command = [
        "rg",
        "-a",
        "-c",
        "--regex-size-limit",
        "4G",
        "--dfa-size-limit",
        "4G",
        "-f",
        str(ripgrep_patterns()),
        str(log),
    ]
    probe = subprocess.run([*command[:-1], str(Path(__file__))], capture_output=True, text=True, check=False)
    if probe.returncode == 2:
        print(f"  ripgrep does not take the patterns: {probe.stderr.strip()[-200:]}")
        return
    peer = median_seconds(command, runs)
    print(f"  ripgrep -c -f with the same patterns: {peer:.2f} s; triage is {peer / ours:.2f} x as fast")


def many() -> None:
    """10,000 mixed logs (270 MB) in one call."""
    paths = many_logs(10_000, 270_000_000)
    total = sum(path.stat().st_size for path in paths)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TRIAGE_DATA_DIR": folder}
        for filed, options in (("diagnosed", ["--no-archive"]), ("diagnosed and filed", [])):
            command = [*TRIAGE, "diagnose", "--quiet", *options, "--format", "jsonl", *map(str, paths)]
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
            took = time.perf_counter() - start
            print(f"many: {len(paths):,} logs, {total / 1e6:.0f} MB {filed} in {took:.1f} s")


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["paste", "cold", "large", "huge", "many"]
    for name in chosen:
        {"paste": paste, "cold": cold, "large": large, "huge": huge, "many": many}[name]()
