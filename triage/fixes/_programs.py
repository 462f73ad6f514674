"""The build's own interpreter, and our small programs that run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from triage import commandline
from triage.site import CannotApply, Site

_PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "modelfolder", "programs")


def python_of(site: Site) -> str:
    """The interpreter that the build uses; ours where that cannot be told."""
    for command in commandline.commands(site):
        if command.is_python:
            found = shutil.which(command.words[command.program_at])
            if found:
                return found
    return shutil.which("python") or sys.executable


def run_program(site: Site, name: str, arguments: Sequence[str]) -> str:
    """Runs one of our small programs, which need torch and its like, in the build's own interpreter.

    Args:
        site: the build.
        name: a file of triage/modelfolder/programs, without ``.py``.
        arguments: its arguments.

    Returns:
        What it printed.

    Raises:
        CannotApply: it failed; its last line says why.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [python_of(site), os.path.join(_PROGRAMS, f"{name}.py"), *arguments],
        cwd=site.root, env=environment, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        said = [line.strip() for line in (done.stdout + "\n" + done.stderr).split("\n") if line.strip()]
        raise CannotApply(said[-1][:500] if said else f"{name} ended with exit code {done.returncode}")
    return done.stdout
