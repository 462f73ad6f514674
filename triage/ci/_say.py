"""From an examined job to the message that the hosts are given."""

from __future__ import annotations

import hashlib
import json

from triage.ci._marker import Marker
from triage.ci._message import Message
from triage.records import Case
from triage.reports._sections import ranked, titled
from triage.reports.comment import LIMIT, composed, resolved
from triage.service.examining import Examined


def message_of(found: Examined) -> Message:
    """What is to be said of a job.

    The key is the job's name, so that each job keeps one comment on a change. The fingerprint covers what a reader
    would call news: which failures, how sure, and how they stand; neither commits, counts, line numbers nor times.
    """
    cases = ranked(found.cases)
    failing = found.status == "failure" and bool(cases)
    news = [
        (case.incident.causes[0].id, case.incident.causes[0].verdict, _signature(case), _section(case))
        for case in cases
    ]
    key, said = _digest(found.job.name), _digest(sorted(news) if failing else "resolved")
    about = cases[0].incident.causes[0].id if failing else ""

    def body(limit: int, before: Marker | None) -> str:
        run = found.job.run or ""
        number = int(run) if run.isascii() and run.isdigit() else 0
        marker = Marker(key, said, number, found.job.attempt, failing, about).text()
        room = min(limit, LIMIT) - len(marker) - 1
        text = composed(cases, found.job, room) if failing else resolved(found.job, before.about if before else "")
        return f"{marker}\n{text}"

    title = titled(cases) if failing else f"{found.job.name} passes"
    return Message(found.job, key, said, failing, title, body, found.reports)


def _signature(case: Case) -> str:
    signature = case.incident.signature
    return signature.hash if signature else ""


def _section(case: Case) -> str:
    standing = case.standing
    return standing.section if standing else ""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()[:16]
