"""NVIDIA's trtexec: builds and times engines from the command line. Its commands are read and edited, not written."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from triage.backends import Probe
from triage.commandline import Command
from triage.trtbuild import words

NEEDS: Mapping[str, int] = {"memory": 6 << 30, "disk": 1 << 30, "gpu_memory": 1 << 30}
_SECONDS = 60
_PLACES = ("/usr/src/tensorrt/bin/trtexec", "/opt/tensorrt/bin/trtexec")


def probe() -> Probe:
    """Whether trtexec is there and starts."""
    tool = shutil.which("trtexec") or next((path for path in _PLACES if shutil.which(path)), None)
    if tool is None:
        return Probe(can=False, why="trtexec is not on the path (it comes with TensorRT, often /usr/src/tensorrt/bin)")
    try:
        done = subprocess.run([tool, "--help"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return Probe(can=False, why=f"{tool}: {fault}")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        return Probe(can=False, why=said[-1] if said else f"{tool} ended with exit code {done.returncode}")
    version = re.search(r"TensorRT[. ]v?(\d[\d.]*)", done.stdout + done.stderr)
    return Probe(can=True, facts={"trtexec": tool, **({"tensorrt": _dotted(version[1])} if version else {})})


def understands(command: Sequence[str]) -> bool:
    """Whether a command is trtexec's."""
    return bool(command) and words.kind_of(Command(tuple(command))) == "trtexec"


def _dotted(told: str) -> str:
    """``8601`` as 8.6.1, ``101300`` as 10.13.0; what has dots stays."""
    if "." in told or len(told) < 4:
        return told
    if len(told) == 4:
        return f"{told[0]}.{told[1]}.{int(told[2:])}"
    return f"{int(told[:-4])}.{int(told[-4:-2])}.{int(told[-2:])}"
