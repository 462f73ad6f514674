"""NVIDIA's Polygraphy: converts, runs and inspects models. Its commands are read and edited, not written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from triage.backends import Probe
from triage.backends._child import interpreter
from triage.commandline import Command
from triage.trtbuild import words

NEEDS: Mapping[str, int] = {"memory": 6 << 30, "disk": 1 << 30, "gpu_memory": 1 << 30}
_ASK = "import polygraphy; print(polygraphy.__version__)"
_SECONDS = 60


def probe() -> Probe:
    """Whether the command is there, and in which version."""
    tool = shutil.which("polygraphy")
    try:
        done = subprocess.run(
            [interpreter(), "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return Probe(can=False, why=str(fault))
    if done.returncode:
        return Probe(can=False, why="the Python package polygraphy is not installed: pip install polygraphy")
    facts = {"polygraphy": done.stdout.strip()}
    return Probe(can=tool is not None, why="" if tool else "the command polygraphy is not on the path", facts=facts)


def understands(command: Sequence[str]) -> bool:
    """Whether a command is Polygraphy's."""
    return bool(command) and words.kind_of(Command(tuple(command))) == "polygraphy"
