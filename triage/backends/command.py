"""Any command: what no other backend knows better is run as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from triage.backends import Probe

NEEDS = {"memory": 0, "disk": 0, "gpu_memory": 0}


def probe() -> Probe:
    """A command can always be started; whether its program is there shows when it runs."""
    return Probe(True, facts={"shell": os.environ.get("SHELL", "")})


def understands(command: Sequence[str]) -> bool:
    """Anything with a program."""
    return bool(command and command[0])
