"""A check of a Triton model repository without a server: what Triton would refuse, in lines that read like its log."""

from __future__ import annotations

import os
from collections.abc import Sequence

from triage.backends import Probe

NEEDS = {"memory": 256 << 20, "disk": 0, "gpu_memory": 0}
MODULE = "triage.tritonrepo"


def probe() -> Probe:
    """Files only: it can run anywhere; ONNX files are looked into where the package onnx is there."""
    from importlib.util import find_spec

    return Probe(can=True, facts={"onnx": "installed" if find_spec("onnx") else "not installed"})


def understands(command: Sequence[str]) -> bool:
    """``python -m triage.tritonrepo REPOSITORY``."""
    words = list(command)
    return MODULE in words and words.index(MODULE) > 0 and words[words.index(MODULE) - 1] == "-m"


def command(repository: str) -> tuple[str, ...]:
    """The command that checks a repository; its exit code is 1 where something is wrong."""
    return ("python", "-m", MODULE, os.fspath(repository))
