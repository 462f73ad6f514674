"""NVIDIA's Polygraphy: converts, runs and inspects models. Its commands are read and edited, not written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from triage.backends import Probe
from triage.backends._asking import ask
from triage.commandline import Command
from triage.trtbuild import words

NEEDS: Mapping[str, int] = {"memory": 6 << 30, "disk": 1 << 30, "gpu_memory": 1 << 30}
_ASK = "import polygraphy; print(polygraphy.__version__)"


def probe() -> Probe:
    """Whether the command is there, and in which version."""
    tool = shutil.which("polygraphy")
    answer = ask(_ASK, seconds=60)
    if not answer.ran:
        return Probe(can=False, why=answer.why)
    if answer.why:
        return Probe(can=False, why="the Python package polygraphy is not installed: pip install polygraphy")
    facts = {"polygraphy": answer.text.strip()}
    return Probe(can=tool is not None, why="" if tool else "the command polygraphy is not on the path", facts=facts)


def understands(command: Sequence[str]) -> bool:
    """Whether a command is Polygraphy's."""
    return bool(command) and words.kind_of(Command(tuple(command))) == "polygraphy"
