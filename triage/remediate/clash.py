"""Runs that met another process at their port: such a run tells nothing of the build, and is done again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from triage.remedy import BuildResult

_PAUSES = (2.0, 5.0)  # seconds before a run is done again
_TAKEN = re.compile(r"(?i)\baddress already in use\b|\bEADDRINUSE\b|socket '[^'\n]{1,100}' already in use")
# Triton loads models first and opens its ports then; until it has, whoever holds the port answers in its place
_LOADING = re.compile(r'model_lifecycle\.cc:\d+\] "?loading: ')
_OPEN = re.compile(r"Started (?:HTTPService|GRPCInferenceService|Sagemaker|Vertex)")
_LONGEST = 8 << 20


def settled(go: Callable[[], BuildResult]) -> BuildResult:
    """Runs a build, and again where it met another process."""
    result = go()
    for pause in _PAUSES:
        if not met(result):
            break
        time.sleep(pause)
        result = go()
    return result


def met(result: BuildResult) -> bool:
    """Whether a run failed because its port was taken, or passed although its server never opened one."""
    if result.ended != "exit":
        return False
    with open(result.log, encoding="utf-8", errors="replace") as stream:
        text = stream.read(_LONGEST)
    if result.good:
        return bool(_LOADING.search(text)) and not _OPEN.search(text)
    return bool(_TAKEN.search(text))
