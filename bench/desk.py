"""The desk's log view against Textual's own widgets, in one run; and what a log of 1 GB costs.

usage: python -m bench.desk [peers] [huge]

Each measurement is a process of its own, so that memory is its own too. Times are from the
text being at hand to the first screen that shows its last line (peers), or its first line (huge).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

LINE = b"[11/20/2026-10:%02d:%02d] [V] [TRT] Tactic: 0x%016x Time: 0.%04d layer conv_%d fused with relu %d\n"
PEERS = ("LogView", "Log", "TextArea")


def text_of(size: int, first: int = 0) -> bytes:
    """Ordinary verbose lines, about so many bytes."""
    count = size // 100
    lines = (LINE % (i // 60 % 60, i % 60, i * 7919, i % 9999, i % 300, i) for i in range(first, first + count))
    return b"".join(lines)


def rss() -> float:
    """Memory of this process in MB."""
    return psutil.Process().memory_info().rss / 1e6


async def _draw(kind: str, data: bytes) -> dict[str, float]:
    from textual.app import App
    from textual.widgets import Log, TextArea

    from triage.tui.document import Document
    from triage.tui.widgets.log_view import LogView

    app: App[None] = App()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before, start = rss(), time.perf_counter()
        if kind == "LogView":
            document = Document.growing("bench")
            document.append(data)
            view = LogView(document)
            await app.mount(view)
            await pilot.pause()
            view.action_bottom()
        elif kind == "Log":
            log = Log()
            await app.mount(log)
            log.write(data.decode())
        else:
            area = TextArea(data.decode(), read_only=True)
            await app.mount(area)
            area.move_cursor(area.document.end)
        await pilot.pause()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "megabytes": rss() - before}


def _huge(path: str) -> dict[str, float]:
    from triage.tui.document import open_file

    before = rss()
    found: dict[str, float] = {}
    start = time.perf_counter()
    document = open_file(path)
    document.window(1, 50)
    found["first screen ms"] = (time.perf_counter() - start) * 1e3
    for name, work in (
        ("all lines known s", lambda: all(document.index() < 1 for _ in range(10**6))),
        ("errors found s", lambda: all(document.scan_errors() < 1 for _ in range(10**6))),
        ("search for a word s", lambda: document.find("zork")),
        ("search for an expression s", lambda: document.find("/conv_\\d+ split/")),
        ("last screen s", lambda: document.window(document.lines - 50, 50)),
        ("middle screen s", lambda: document.window(document.lines // 2, 50)),
    ):
        start = time.perf_counter()
        work()
        found[name] = time.perf_counter() - start
    found["lines"] = document.lines
    found["memory MB"] = rss() - before
    return found


def _apart(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.desk", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def peers() -> None:
    """Load and draw 10 MB."""
    results = {kind: min((_apart("one", kind) for _ in range(3)), key=lambda one: one["seconds"]) for kind in PEERS}
    mine = results["LogView"]
    for kind, one in results.items():
        ratio = one["seconds"] / mine["seconds"]
        print(f"{kind}: 10 MB loaded and drawn in {one['seconds']:.3f} s ({ratio:.0f}x), {one['megabytes']:.0f} MB")


def huge() -> None:
    """Open a file of 1 GB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "huge.log"
        part = text_of(10_000_000)
        with open(path, "wb") as stream:
            stream.writelines(part for _ in range((1 << 30) // len(part) + 1))
        print(f"1 GB file ({os.path.getsize(path) / 1e9:.2f} GB):")
        for name, value in _apart("big", str(path)).items():
            print(f"  {name}: {value:,.3f}" if value < 1000 else f"  {name}: {value:,.0f}")


def main(arguments: list[str]) -> None:
    """Runs what is named, or everything."""
    if arguments[:1] == ["one"]:
        print(json.dumps(asyncio.run(_draw(arguments[1], text_of(10_000_000)))))
    elif arguments[:1] == ["big"]:
        print(json.dumps(_huge(arguments[1])))
    else:
        for name, part in (("peers", peers), ("huge", huge)):
            if not arguments or name in arguments:
                part()


if __name__ == "__main__":
    main(sys.argv[1:])
