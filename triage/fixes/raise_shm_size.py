"""Give the container more shared memory.

What it changes: nothing. Where shared memory runs out, it gives the command that starts the container with more: the
build's own `docker run` with another `--shm-size`, or, for Triton's Python backend, the size of its region.

When it is wrong: where the shared memory is filled by what a killed process left: look into /dev/shm first. Outside
of a container remount it: half of the memory is usual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _manual
from triage.remedy import Proposal

CAUSES = ("shared-memory-exhausted", "multi-gpu-communication-failed", "process-crashed", "backend-init-failed")
SAFETY = "manual"
EVIDENT = False
_SEEN = re.compile(
    r"(?i)shared memory|/dev/shm|bus error|shm_open|shm-size|insufficient shared|unable to (?:open|mmap) shared"
    r"|DataLoader worker"
)
_SIZE = re.compile(r"--shm-size[= ](\d+(?:\.\d+)?)([bkmg]?)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def propose(site: Site) -> Iterator[Proposal]:
    """The container's command with more shared memory."""
    if not _SEEN.search(site.log):
        return
    commands = [_raised(words) for words in _manual.containers(site)]
    if "shm-default-byte-size" in site.log or re.search(r"(?i)python backend|_stub|pb_stub", site.log):
        commands.append(
            "tritonserver --backend-config=python,shm-default-byte-size=16777216 --model-repository=REPOSITORY"
        )
    yield Proposal(
        "give more shared memory",
        {"commands": commands or ["df -h /dev/shm", "docker run --shm-size=2g IMAGE COMMAND"]},
    )


def _raised(words: list[str]) -> str:
    """Four times what it has, at least 2 GiB."""
    text = " ".join(words)
    match = _SIZE.search(text)
    now = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    size = f"{max(2, -(-int(now * 4) // (1 << 30)))}g"
    kept = [
        word for at, word in enumerate(words) if not word.startswith("--shm-size") and words[at - 1] != "--shm-size"
    ]
    return _manual.with_option(kept, f"--shm-size={size}")


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person starts containers."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


_FOUND = Found(("shared-memory-exhausted",))
_RUN = ("docker", "run", "--shm-size=64m", "acme/build", "python", "build.py")
EXAMPLES = (
    Example(
        _nothing,
        None,
        command=_RUN,
        found=_FOUND,
        log="RuntimeError: DataLoader worker is killed by signal: Bus error.\n",
    ),
    Example(_nothing, None, command=_RUN, found=_FOUND, log="RuntimeError: timed out\n", applies=False),
)
