"""Markdown for a comment on a change: the failures by section, never longer than a host takes."""

from __future__ import annotations

from collections.abc import Sequence

from triage.records import Case, Job, Report
from triage.remedy import Remediation
from triage.reports import markdown
from triage.reports._failures import independent
from triage.reports._fit import shortened
from triage.reports._markdown import escaped, name
from triage.reports._sections import address, blocks

MEDIA_TYPE = "text/markdown"
WHOLE = True
LIMIT = 65_000  # characters; GitHub takes 65,536
CUT = "\nSome parts did not fit here; the log of the job has all of them.\n"


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One comment for all reports."""
    cases = cases_of(reports)
    return composed(cases) if cases else "### No failure\n"


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as a section that fits into a comment."""
    return shortened(markdown.repair(done, report), LIMIT)


def settled(text: str) -> int:
    """Nothing stands before all is known: what the archive says belongs into the first lines."""
    return 0


def cases_of(reports: Sequence[Report]) -> list[Case]:
    """The independent failures of all reports, the primary one of each first."""
    return [
        Case(incident, report.source, changed=report.changed) for report in reports for incident in independent(report)
    ]


def composed(cases: Sequence[Case], job: Job | None = None, limit: int = LIMIT) -> str:
    """The comment of a failing job, of at most ``limit`` characters; parts of least weight go first."""
    parts = list(blocks(cases, job))
    whole = len(parts)
    while len(parts) > 1 and sum(map(len, parts)) + len(parts) + len(CUT) > limit:
        parts.pop()
    text = "\n".join(parts)
    if len(parts) < whole:
        text += CUT
    return shortened(text, limit)


def resolved(job: Job, about: str) -> str:
    """What takes a comment's place when the job passes again."""
    run = address(job.run_url)
    passed = f"[This run]({run})" if run else "The job"
    commit = f" at {job.commit[:10]}" if job.commit else ""
    before = f"\n\nBefore, it failed with {name(about)}." if about else ""
    return f"### Resolved: {escaped(job.name)} passes\n\n{passed} succeeded{commit}.{before}\n"
