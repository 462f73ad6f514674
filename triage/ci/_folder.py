"""Everything that is known of a job, as files for the next stage, for artefacts and for other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from triage import discovery
from triage.ci._here import as_variables
from triage.ci._say import message_of
from triage.errors import UsageError
from triage.folders import write_whole
from triage.library import load_library
from triage.reports.comment import LIMIT
from triage.service.examining import Examined
from triage.service.handover import NAME, as_data


def outputs_of(found: Examined) -> dict[str, str]:
    """What later steps may ask for; empty values where the job passed.

    ``cause``, ``category`` (build, load, run …), ``verdict``, ``section``, ``fix`` (its first one), ``retry``
    (true where trying again can help) and ``report-url``.
    """
    case = found.cases[0] if found.cases else None
    cause = case.incident.causes[0] if case else None
    return {
        "cause": cause.id if cause else "",
        "category": load_library().knowledge.article(cause.id).group if cause else "",
        "verdict": cause.verdict if cause else "no-failure",
        "section": case.standing.section if case and case.standing else "",
        "fix": cause.fixes[0].id if cause and cause.fixes else "",
        "retry": str(bool(case and case.standing and case.standing.retry)).lower(),
        "report-url": found.job.run_url or "",
    }


def write_folder(found: Examined, folder: str, outputs: Mapping[str, str]) -> None:
    """Writes the folder; every report format that names a FILE is in it. Raises UsageError."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as fault:
        raise UsageError(f"{folder} cannot be made: {fault.strerror}. Name another --out.") from None
    for name, text in _files(found, outputs):
        write_whole(os.path.join(folder, name), text)


def _files(found: Examined, outputs: Mapping[str, str]) -> list[tuple[str, str]]:
    files = [
        (NAME, json.dumps(as_data(found), ensure_ascii=False, indent=1) + "\n"),
        ("triage.env", as_variables(outputs)),
    ]
    if found.tells:
        files.append(("comment.md", message_of(found).body(LIMIT, None).partition("\n")[2]))
    for name in discovery.names("triage.reports"):
        module = discovery.load("triage.reports", name)
        if hasattr(module, "FILE"):
            files.append((module.FILE, module.render(list(found.reports))))
    return files
