"""One HTML page without scripts and without anything from outside, for a browser, a phone and paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from triage.records import Changed, Evidence, Incident, Report
from triage.remedy import Remediation
from triage.reports._advice import advice_for
from triage.reports._failures import VERDICTS, Failure, about, clean, failures, independent
from triage.reports._repair import HEADLINES, number_words
from triage.reports._shape import seen_words

if TYPE_CHECKING:
    from jinja2 import Template

MEDIA_TYPE = "text/html"
FILE = "report.html"
WHOLE = True
MOST, MOST_GOOD, MOST_LINES = 200, 100, 8
DIFF = 200_000


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One page: every failure once, the surest first."""
    found = failures(reports)
    good = [clean(report.source, 300) for report in reports if not independent(report)]
    logs = f"{len(reports)} log{'s' if len(reports) != 1 else ''}"
    if len(found) == 1:
        title = f"{found[0].cause.verdict.capitalize()}: {clean(found[0].cause.id, 100)}"
    else:
        title = f"{len(found)} failures" if found else "No failure"
    return _page(
        title=title, subtitle=f"triage read {logs}", failures=[_view(one) for one in found[:MOST]],
        more=max(len(found) - MOST, 0), good=good[:MOST_GOOD], more_good=max(len(good) - MOST_GOOD, 0), repair=None,
    )  # fmt: skip


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A page of a repair: outcome, proof, attempts, change, and below it what failed."""
    word = HEADLINES[done.status].capitalize()
    found = failures([report] if report else [])
    return _page(
        title=f"{word}: {clean(done.cause or 'no failure', 100)}", subtitle="triage fix",
        failures=[_view(one) for one in found], more=0, good=[], more_good=0, repair=_repaired(done, word),
    )  # fmt: skip


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _page(**parts: Any) -> str:
    """The template with its parts; every value is escaped by it."""
    page: str = _template().render(**parts)
    return page + "\n"


@cache
def _template() -> Template:
    """The template, with our own style sheet and a policy that allows this style and nothing else."""
    from base64 import b64encode
    from hashlib import sha256

    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from triage.folders import package_folder

    texts = []
    for name in ("_report.html.j2", "_report.css"):
        with open(package_folder("reports", name), encoding="utf-8") as stream:
            texts.append(stream.read())
    style = b64encode(sha256(texts[1].encode()).digest()).decode("ascii")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["policy"] = (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    )
    environment.globals["style"] = Markup(texts[1])  # noqa: S704 -- a file of ours
    return environment.from_string(texts[0])


def _view(failure: Failure) -> dict[str, Any]:
    cause, incident = failure.cause, failure.incident
    advice = advice_for(cause.id)
    known = cause.id != "unknown"
    return {
        "id": clean(cause.id, 100),
        "verdict": cause.verdict if cause.verdict in VERDICTS else "unknown",
        "by": clean(cause.by, 100).replace(":", " ", 1),
        "title": advice.title,
        "source": clean(failure.report.source, 300),
        "more_sources": len(failure.sources) - 1,
        "about": about(incident),
        "others": [{"id": clean(each.id, 100), "title": advice_for(each.id).title} for each in incident.causes[1:5]],
        "lines": _excerpt(cause.evidence[:MOST_LINES]),
        "more_lines": max(len(cause.evidence) - MOST_LINES, 0),
        "why": clean(cause.why),
        "ruled_out": [{"id": clean(out.id, 100), "why": clean(out.why)} for out in incident.ruled_out[:40]],
        "consequences": list(_consequences(failure)),
        "needed": clean(incident.needed or ""),
        "cure": _spans(advice.words) if known else [],
        "fixes": [_cleaned(fix._asdict()) for fix in cause.fixes[:12]],
        "commands": "\n".join(advice.commands) if known else "",
        "more": f"triage explain {clean(cause.id, 100)}" if known else "",
        "changed": _changed(failure.report.changed),
        "seen": clean(seen_words(incident.seen)) if incident.seen else "The archive was not asked.",
        "similar": list(_similar(incident)),
    }


def _excerpt(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """The decisive lines and those next to the first one, as they stand in the log."""
    lines = {line["number"]: line for each in evidence[:1] for line in _around(each)}
    lines.update((each.line, _marked(each)) for each in evidence)
    return [lines[number] for number in sorted(lines)]


def _around(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for offset, text in enumerate(evidence.before):
        yield _line(evidence.line - len(evidence.before) + offset, clean(text))
    for offset, text in enumerate(evidence.after, 1):
        yield _line(evidence.line + offset, clean(text))


def _marked(evidence: Evidence) -> dict[str, Any]:
    text, start, end = clean(evidence.text), evidence.start, evidence.end
    if text != evidence.text or not 0 <= start < end <= len(text):
        start = end = len(text)
    return _line(evidence.line, text[:start], text[start:end], text[end:], decisive=True)


def _line(number: int, left: str, marked: str = "", right: str = "", *, decisive: bool = False) -> dict[str, Any]:
    return {"number": number, "left": left, "marked": marked, "right": right, "decisive": decisive}


def _spans(text: str) -> list[tuple[bool, str]]:
    """Words of an article: what stands between back-ticks is code."""
    parts = re.sub(r"\*\*([^*]+)\*\*", r"\1", text).split("`")
    return [(index % 2 == 1, part) for index, part in enumerate(parts) if part]


def _consequences(failure: Failure) -> Iterator[str]:
    incidents = failure.report.diagnosis.incidents
    own = next((index for index, one in enumerate(incidents) if one is failure.incident), None)
    for one in incidents:
        if one.consequence_of is not None and one.consequence_of == own and one.causes:
            yield clean(f"{one.causes[0].id} on line {one.span[0]}", 200)


def _changed(changed: Changed | None) -> dict[str, Any] | None:
    if changed is None:
        return None
    rows = [
        f"{kind} {name}: {before or 'absent'} → {after or 'absent'}"
        for kind, name, before, after in changed.differences
    ]
    rows += [f"new on line {line}: {text}" for line, text, _ in changed.new_lines[:5]]
    return {"sentence": clean(changed.sentence), "rows": [clean(row, 400) for row in rows[:20]]}


def _similar(incident: Incident) -> Iterator[dict[str, str]]:
    if incident.seen and incident.seen.note:
        yield {"id": "note", "words": clean(incident.seen.note), "why": ""}
    for near in incident.similar:
        fix = f", cured by {near.fix}" if near.fix else ""
        yield _cleaned({"id": near.id, "words": f"{near.cause}, {near.state}{fix}", "why": near.why})


def _cleaned(fields: dict[str, str]) -> dict[str, str]:
    return {key: clean(value, 600) for key, value in fields.items()}


def _repaired(done: Remediation, word: str) -> dict[str, Any]:
    proof = done.proof if done.status == "cured" else None
    diff = "".join(change.diff for change in done.changes)
    return {
        "word": word,
        "colour": "no-failure" if done.status == "cured" else "likely",
        "cause": clean(done.cause or "no failure", 100),
        "why": clean(done.why),
        "proof": clean(proof.how) if proof else "",
        "numbers": [clean(number_words(row)) for row in proof.numbers[:6]] if proof else [],
        "attempts": [
            {"result": one.result, "what": clean(one.step.what), "why": clean(one.why)} for one in done.attempts[:50]
        ],
        "diff": "\n".join(clean(line, 4000) for line in diff[:DIFF].split("\n")),
        "by_hand": [clean(one.title) for one in done.by_hand[:6]] if not done.verified else [],
    }
