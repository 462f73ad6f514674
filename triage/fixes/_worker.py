"""The child process in which fixes look and work: ``python -m triage.fixes._worker REQUEST ANSWER``.

Answers are JSON lines, written as soon as they stand: where one fix takes the process with it, the answers
before it are kept and the line that it began names the culprit.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import IO, Any

from triage import discovery
from triage.remedy import Proposal, Refusal
from triage.site import CannotApply, Site, site_from


def main(request: str, answer: str) -> int:
    """Reads a request, writes answers; gives the exit code."""
    with open(request, encoding="utf-8") as stream:
        body = json.load(stream)
    site = site_from(body["site"])
    with open(answer, "w", encoding="utf-8", buffering=1) as out:
        if body["action"] == "propose":
            for fix in body["fixes"]:
                _say(out, begun=fix)
                _propose(out, fix, site)
        else:
            _say(out, begun=body["fix"])
            _apply(out, body["fix"], body["parameters"], site)
    return 0


def _propose(out: IO[str], fix: str, site: Site) -> None:
    try:
        module = discovery.load("triage.fixes", fix)
        for made in sorted(module.propose(site), key=lambda one: getattr(one, "rank", 0)):
            if isinstance(made, Refusal):
                _say(out, fix=fix, refusal=made._asdict())
            elif isinstance(made, Proposal):
                _say(out, fix=fix, proposal={**made._asdict(), "safety": made.safety or module.SAFETY})
    except CannotApply:
        return
    except Exception as fault:  # noqa: BLE001 -- the edge of a child process
        _say(out, fix=fix, failed=_words(fault))


def _apply(out: IO[str], fix: str, parameters: dict[str, Any], site: Site) -> None:
    try:
        discovery.load("triage.fixes", fix).apply(site, parameters)
    except CannotApply as fault:
        _say(out, fix=fix, cannot=str(fault))
    except Exception as fault:  # noqa: BLE001 -- the edge of a child process
        _say(out, fix=fix, failed=_words(fault))
    else:
        _say(out, fix=fix, done=True, command=list(site.command))


def _say(out: IO[str], **body: object) -> None:
    out.write(json.dumps(body, default=str) + "\n")


def _words(fault: Exception) -> str:
    """One line: what went wrong, and where in our code."""
    if isinstance(fault, ModuleNotFoundError):
        return f"needs the Python package {fault.name}: pip install {fault.name}"
    traceback.print_exception(fault)
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if "triage" in frame.filename]
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(fault).__name__}: {' '.join(str(fault).split())[:300]}{where}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
