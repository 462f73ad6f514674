"""Tracing records one way through a model; where the way hangs on values, the exported graph is wrong for others."""

from __future__ import annotations

import re

from triage.remedy import BuildResult

# what torch.jit.trace prints of a number or a truth value that it takes out of a tensor
_FROZEN = re.compile(r"TracerWarning: (?:Converting a tensor to a Python|torch\.tensor results are registered)")
_LONGEST = 8 << 20


def froze_values(result: BuildResult) -> bool:
    """Whether the log of a build says that tracing took a value for a constant."""
    with open(result.log, encoding="utf-8", errors="replace") as stream:
        return _FROZEN.search(stream.read(_LONGEST)) is not None
