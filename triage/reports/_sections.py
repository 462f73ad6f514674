"""The failures of a job as sections of one comment: ranked, each said once, short enough for its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit

from triage.records import Case, Cause, Incident, Job
from triage.reports._advice import advice_for
from triage.reports._failures import about, key_of
from triage.reports._markdown import changes, decisive, escaped, name

ORDER = ("change", "unknown", "infrastructure", "main", "flaky")
HEADINGS = {
    "change": "Probably caused by this change",
    "flaky": "Known flaky",
    "main": "Also failing on the main branch",
    "infrastructure": "Infrastructure",
    "unknown": "Cause unknown",
}
UNCOMPARED = "Perhaps caused by this change"  # where no other build is known to compare with
SHOWN_LINES, MOST_MORE = 6, 12
RETRY = "**Try again once.** This kind of failure can pass without any change."


def ranked(cases: Sequence[Case]) -> list[Case]:
    """What a reader must see first stands first; the same failure in several logs is said once."""
    said: dict[str, Case] = {}
    for case in sorted(cases, key=_weight):
        said.setdefault(key_of(case.incident), case)
    return list(said.values())


def _weight(case: Case) -> int:
    if case.standing:
        return ORDER.index(case.standing.section)
    return ORDER.index("unknown" if case.incident.causes[0].verdict == "unknown" else "change")


def titled(cases: Sequence[Case]) -> str:
    """The verdict in words, for one line; plain text."""
    cause = cases[0].incident.causes[0]
    title = advice_for(cause.id).title.rstrip(".")
    more = len(cases) - 1
    others = f", and {more} more failure{'s' if more > 1 else ''}" if more else ""
    if cause.verdict == "unknown":
        return f"Cause unknown{others}"
    return f"{cause.verdict.capitalize()}: {cause.id}, {title[:1].lower()}{title[1:]}{others}"


def blocks(cases: Sequence[Case], job: Job | None = None) -> Iterator[str]:
    """The parts of a comment in order of weight: whoever must cut takes parts off the end."""
    cases = ranked(cases)
    first = cases[0]
    yield "\n\n".join(filter(None, [f"### {escaped(titled(cases))}", _standing(first), _where(first, job)])) + "\n"
    yield from _whole(first)
    if len(cases) > 1:
        yield _others(cases[1:])
    yield from (_folded(case) for case in cases[1 : 1 + MOST_MORE])


def _standing(case: Case) -> str:
    standing = case.standing
    if standing is None:
        return ""
    share = f" ({standing.builds} of {standing.of} builds)" if standing.section == "flaky" and standing.of else ""
    alone = standing.section == "change" and standing.of <= 1
    said = f"**{UNCOMPARED if alone else HEADINGS[standing.section]}{share}.** {escaped(standing.why)}"
    return f"{said}\n{RETRY}" if standing.retry else said


def _where(case: Case, job: Job | None) -> str:
    said = [f"`{_code(job.name)}`" if job else escaped(case.source), escaped(about(case.incident))]
    if job and job.attempt > 1:
        said.append(f"attempt {job.attempt}")
    if job and job.commit:
        said.append(job.commit[:10])
    url = address(case.url or (job.run_url if job else None))
    if url:
        said.append(f"[log, line {_line(case)}]({url})")
    return " · ".join(said)


def _line(case: Case) -> int:
    cause = case.incident.causes[0]
    return cause.evidence[0].line if cause.evidence else case.incident.span[0]


def _code(text: str) -> str:
    """Text between two back-ticks: nothing in it can end them, and nothing in it pings."""
    return " ".join(text.replace("`", "'").replace("@", "@\u200b").split())[:200]


def address(url: str | None) -> str | None:
    """A web address that can stand in a Markdown link and an attribute; None for anything else."""
    if not url or urlsplit(url).scheme not in ("http", "https"):
        return None
    return quote(url, safe=":/?#&=%+,;~-._")


def _excerpt(case: Case) -> str:
    return "\n".join(decisive(case.incident.causes[0], SHOWN_LINES))


def _whole(case: Case) -> Iterator[str]:
    incident = case.incident
    cause = incident.causes[0]
    advice = advice_for(cause.id)
    if cause.evidence:
        yield f"**Decisive lines**\n\n{_excerpt(case)}\n"
    also = "".join(f"\nor {name(other.id)}: {escaped(advice_for(other.id).title)}" for other in incident.causes[1:])
    yield f"**Why** {escaped(cause.why)} ({escaped(cause.by)}){also}\n"
    if case.changed:
        yield "\n".join(changes(case.changed))
    yield "\n".join(_cure(incident, cause, advice.words, advice.commands)) + "\n"
    folded = "\n".join(_aside(incident))
    if folded:
        yield f"<details><summary>What was ruled out, and what is similar</summary>\n\n{folded}\n\n</details>\n"


def _cure(incident: Incident, cause: Cause, words: str, commands: Sequence[str]) -> Iterator[str]:
    yield "**What to do**"
    yield ""
    if incident.needed:
        yield f"To be sure, get: {escaped(incident.needed)}"
    if cause.id == "unknown":
        return
    yield words
    for fix in cause.fixes[:4]:
        yield f"- {escaped(fix.title)} ({name(fix.id)}, {fix.safety})"
    if commands:
        yield from ("", "```bash", *commands, "```")
    yield from ("", f"More: `triage explain {name(cause.id)}`")


def _aside(incident: Incident) -> Iterator[str]:
    for out in incident.ruled_out[:6]:
        yield f"- not {name(out.id)}: {escaped(out.why)}"
    for near in incident.similar[:4]:
        cured = f", cured by {escaped(near.fix)}" if near.fix else ""
        yield f"- like {name(near.id)}: {escaped(near.cause)}, {escaped(near.state)}{cured}: {escaped(near.why)}"
    if incident.seen and incident.seen.note:
        yield f"- note: {escaped(incident.seen.note)}"


def _others(cases: Sequence[Case]) -> str:
    rows = ["**Also failed**", ""]
    for case in cases[:MOST_MORE]:
        cause = case.incident.causes[0]
        title = escaped(advice_for(cause.id).title.rstrip("."))
        section = f" ({HEADINGS[case.standing.section].lower()})" if case.standing else ""
        rows.append(f"- {name(cause.id)} in {escaped(case.source)}: {title}{section}")
    if len(cases) > MOST_MORE:
        rows.append(f"- and {len(cases) - MOST_MORE} more")
    return "\n".join(rows) + "\n"


def _folded(case: Case) -> str:
    cause = case.incident.causes[0]
    body = "\n\n".join(filter(None, [_standing(case), _excerpt(case), escaped(cause.why)]))
    return (
        f"<details><summary>{_plain_html(cause.id)} in {_plain_html(case.source)}</summary>\n\n{body}\n\n</details>\n"
    )


def _plain_html(text: str) -> str:
    """Text inside an HTML line, where Markdown may still be read by some hosts."""
    return escaped(" ".join(text.split())[:200]).replace("\\", "")
