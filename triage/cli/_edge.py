"""Commands that wrap a build: whatever goes wrong with its report, the build's own exit code is the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable

from triage.errors import TriageError


def build_code(act: Callable[[Callable[[int], None]], int]) -> int:
    """Runs ``act``, which is handed what to call with the build's exit code as soon as that is known.

    Before that moment errors are ours and are raised; after it they are only said.
    """
    codes: list[int] = []
    try:
        return act(codes.append)
    except BrokenPipeError:
        if not codes:
            raise
    except TriageError as fault:
        if not codes:
            raise
        _say(str(fault))
    except Exception as fault:
        if not codes:
            raise
        _say(f"the report broke: {type(fault).__name__}: {fault}. The build's own exit code stands.")
    return codes[0]


def _say(text: str) -> None:
    from triage.ingest.text import plain

    print(f"triage: {plain(text)}", file=sys.stderr)
