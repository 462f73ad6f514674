"""Questions to other programs: started together, collected later, each with a time limit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Question:
    """A program that was asked and may still be thinking."""

    def __init__(self, process: subprocess.Popen[bytes] | None, limit: float) -> None:
        self._process = process
        self._limit = limit

    def answer(self) -> str | None:
        """What it printed; None where it is missing, failed or took longer than its limit (seconds)."""
        if self._process is None:
            return None
        try:
            output, _ = self._process.communicate(timeout=self._limit)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.communicate(timeout=1)
            return None
        return output.decode("utf-8", "replace") if self._process.returncode == 0 else None


def ask(
    command: Sequence[str], limit: float, *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> Question:
    """Starts a program with nothing to read and nobody to complain to."""
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return Question(None, limit)
    return Question(process, limit)


def read(path: str, limit: int = 1 << 16) -> str | None:
    """The start of a small file of the system; None where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except OSError:
        return None
