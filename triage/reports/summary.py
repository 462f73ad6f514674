"""Markdown for the summary of a job: every failure once, the surest first, below the hosts' size limit.

GitHub throws a step's summary away that is larger than 1 MiB. The first failure stands open, the others are folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._advice import advice_for
from triage.reports._failures import Failure, failures, independent
from triage.reports._fit import fit, shortened, utf8_size
from triage.reports._markdown import escaped, name, section

MEDIA_TYPE = "text/markdown"
WHOLE = True
LIMIT = 900_000  # bytes; other steps' notes and the host's own marks need room below 1,048,576
MOST, MOST_LINES, MOST_GOOD = 100, 8, 20


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """A heading, a section a failure, and what else was read."""
    found = failures(reports)
    parts = ["\n".join(_head(reports, found)), *("\n".join(_folded(one)) for one in found[1:MOST])]
    return fit(parts, LIMIT, _more, utf8_size, left=max(len(found) - MOST, 0)) + "\n"


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as a section."""
    from triage.reports import markdown

    return shortened(markdown.repair(done, report), LIMIT, utf8_size)


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _more(number: int) -> str:
    return f"And {number} more failure{'s' if number != 1 else ''}: `triage diagnose --format json` lists them all."


def _head(reports: Sequence[Report], found: Sequence[Failure]) -> Iterator[str]:
    good = [report.source for report in reports if not independent(report)]
    logs = f"{len(reports)} log{'s' if len(reports) != 1 else ''}"
    count = f"{len(found)} failures" if len(found) != 1 else "1 failure"
    yield f"## {count if found else 'No failure'} in {logs}"
    yield ""
    if found:
        yield from section(found[0], MOST_LINES)
        yield ""
    if good and found:
        yield (
            "No failure in "
            + ", ".join(escaped(source) for source in good[:MOST_GOOD])
            + (f" and {len(good) - MOST_GOOD} more" if len(good) > MOST_GOOD else "")
        )
        yield ""


def _folded(failure: Failure) -> Iterator[str]:
    """Inside the summary line no Markdown is read, only HTML."""
    cause = failure.cause
    title = advice_for(cause.id).title.replace("&", "&amp;").replace("<", "&lt;")
    yield f"<details><summary>{name(cause.verdict).capitalize()}: <b>{name(cause.id)}</b> {title}</summary>"
    yield ""
    yield from section(failure, MOST_LINES)
    yield from ("", "</details>", "")
