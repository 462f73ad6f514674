"""The child process in which a proof is made: ``python -m triage.compare._worker REQUEST ANSWER``."""

from __future__ import annotations

import json
import os
import sys
import traceback

from triage.compare.prove import examine
from triage.remedy import Proof


def main(request: str, answer: str) -> int:
    """Reads a request and writes the proof; gives the exit code."""
    with open(request, encoding="utf-8") as stream:
        body = json.load(stream)
    try:
        proof = examine(body, os.path.dirname(request))
    except Exception as fault:  # noqa: BLE001 -- the edge of a child process
        traceback.print_exc()
        proof = Proof(None, f"comparing failed: {type(fault).__name__}: {' '.join(str(fault).split())[:300]}")
    with open(answer, "w", encoding="utf-8") as out:
        json.dump(proof._asdict(), out, default=str)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
