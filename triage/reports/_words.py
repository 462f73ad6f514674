"""A failure as plain lines, for formats that have no markup of their own."""

from __future__ import annotations

from collections.abc import Iterator

from triage.reports._advice import advice_for
from triage.reports._failures import Failure, clean
from triage.reports._shape import seen_words


def headline(failure: Failure) -> str:
    """Verdict, cause and what it is, in a line."""
    cause = failure.cause
    return clean(f"{cause.verdict.capitalize()}: {cause.id}. {advice_for(cause.id).title.rstrip('.')}.", 300)


def explained(failure: Failure, most: int = 8) -> Iterator[str]:
    """Decisive lines, why, what was ruled out, what to do, and how well it is known."""
    cause, incident = failure.cause, failure.incident
    for line in cause.evidence[:most]:
        yield f"{clean(failure.report.source, 200)}:{line.line}: {clean(line.text, 600)}"
    yield f"Why: {clean(cause.why)}"
    for out in incident.ruled_out[:4]:
        yield clean(f"Not {out.id}: {out.why}", 600)
    yield from to_do(failure)
    if incident.seen:
        yield clean(seen_words(incident.seen))
    if len(failure.sources) > 1:
        yield f"The same in {len(failure.sources) - 1} more logs."


def to_do(failure: Failure) -> Iterator[str]:
    """What to do, and the command that tells more."""
    cause = failure.cause
    if failure.incident.needed:
        yield f"To be sure, get: {clean(failure.incident.needed)}"
    if cause.id != "unknown":
        yield f"What to do: {advice_for(cause.id).words}"
        yield f"More: triage explain {clean(cause.id, 100)}"
