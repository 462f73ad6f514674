"""How much device memory is free, as a log or the driver says it."""

from __future__ import annotations

import re
import shutil
import subprocess

_TABLE = re.compile(r"(\d{2,7})\s*MiB\s*/\s*(\d{3,7})\s*MiB")
_FREE = re.compile(r"(?i)free(?: gpu)? memory[^\d\n]{0,20}(\d{2,7})\s*MiB")


def free_memory(log: str) -> int | None:
    """Bytes that are free on the first device; None where nothing says it."""
    told = _FREE.search(log)
    if told:
        return int(told[1]) << 20
    table = _TABLE.search(log)
    if table:
        return max(0, int(table[2]) - int(table[1])) << 20
    return _asked()


def _asked() -> int | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = done.stdout.split("\n")[0].strip()
    return int(first) << 20 if first.isdecimal() else None
