"""Asks the Python that builds use: what a short program prints there, or why it could not."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from triage.backends._child import interpreter


class Answer(NamedTuple):
    """What was printed. ``why`` says why the program failed; ``ran`` is False where it could not even run."""

    text: str = ""
    why: str = ""
    ran: bool = True


def ask(program: str, seconds: float) -> Answer:
    """Runs a program in the Python that builds use."""
    python = interpreter()
    try:
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(why=f"{python} does not answer within {seconds:g} s", ran=False)
    except OSError as fault:
        return Answer(why=f"{python} does not answer: {fault}", ran=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return Answer(why=lines[-1] if lines else f"the check ended with exit code {done.returncode}")
    return Answer(done.stdout)
