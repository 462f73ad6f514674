"""Workflow commands of GitHub Actions: each cause as an annotation, the surest first.

A step shows ten errors, ten warnings and ten notices. Gitea and Forgejo read the same commands. Data escapes
``% CR LF``, properties ``: ,`` too; the runner looks for ``##[`` anywhere in a line, so that is broken up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._failures import Failure, clean, failures
from triage.reports._places import place_of
from triage.reports._words import explained, headline

MEDIA_TYPE = "text/plain"
WHOLE = True
MOST = 10  # of a kind in a step
LONGEST = 4000
_DATA = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One command a failure; a line in words where nothing failed."""
    found = failures(reports)
    if not found:
        return "".join(f"triage: no failure in {_broken(clean(report.source))}\n" for report in reports[:MOST])
    return "".join(line + "\n" for line in _commands(found))


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """The outcome of a repair as one command."""
    kind = "notice" if done.status == "cured" else "error"
    title = f"{done.status.replace('-', ' ').capitalize()}: {done.cause or 'no failure'}"
    return command(kind, title, clean(done.why)) + "\n"


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _commands(found: Sequence[Failure]) -> Iterator[str]:
    errors = [one for one in found if one.cause.verdict != "unknown"]
    warnings = [one for one in found if one.cause.verdict == "unknown"]
    for kind, ones in (("error", errors), ("warning", warnings)):
        for one in ones[:MOST]:
            text = "\n".join(explained(one))
            place = place_of(one.cause)
            yield command(kind, headline(one), text, place.path if place else None, place.line if place else None)
    more = max(len(errors) - MOST, 0) + max(len(warnings) - MOST, 0)
    if more:
        yield command("notice", f"{more} more", f"{more} more failures: triage diagnose --format text lists them.")


def command(kind: str, title: str, text: str, path: str | None = None, line: int | None = None) -> str:
    """One workflow command, which nothing in its parts can end or add to."""
    place = f"file={_escaped(path, _PROPERTY)},line={line}," if path else ""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return f"::{kind} {place}title={_escaped(title, _PROPERTY)}::{_escaped(text, _DATA)}"


def _escaped(text: str, table: dict[int, str]) -> str:
    return _broken(text).translate(table)


def _broken(text: str) -> str:
    """Without the marks of commands of this and other runners."""
    return text.replace("##", "#\u200b#").replace("::", ":\u200b:")
