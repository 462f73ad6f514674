"""The page of a failure as blocks: what it is and where it ran, then what changed, what is near, what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from textual.content import Content
from textual.widgets import Static

from triage.archive.history import in_words
from triage.archive.merging import UNDOABLE
from triage.ingest.text import plain
from triage.tui.columns import minute
from triage.tui.decisions import Dossier
from triage.tui.widgets.answer import VERDICTS, Row

MOST_LINES, MOST_OUT, MOST_CHANGES, MOST_FACTS = 12, 6, 24, 30
_WHERE = ("repository", "branch", "commit", "job", "host", "ci", "target")
_RESULTS = {True: "✓", False: "·"}


class PageRow(Row):
    """A row of the page; some take a decision back, or open the list of a group's incidents."""

    ACTS: ClassVar[dict[str, str]] = {
        **Row.ACTS, "line": "open the stored log", "undo": "take it back", "group": "list its incidents",
    }  # fmt: skip


def _title(text: str) -> Static:
    return Static(text, classes="title")


def _text(text: str, style: str = "") -> Static:
    return Static(Content.styled(plain(text), style) if style else Content(plain(text)), classes="text")


def _dim(text: str) -> Static:
    return Static(Content(plain(text)), classes="dim")


def _row(text: str | Content, kind: str, value: str) -> Row:
    return PageRow(text if isinstance(text, Content) else Content(plain(text)), kind, value)


def left(dossier: Dossier) -> Iterator[Static]:
    """What the failure is, why, what to do, where it ran."""
    page = dossier.page
    yield from _head(page)
    if page["incident"]:
        yield from _lines(page["incident"]["causes"][0], page["build"]["log"])
        yield from _why(page["incident"])
        yield from _to_do(page)
        yield from _place(page)
        yield from _environment(page["environment"])
    else:
        yield _title("Template")
        yield _text(page["group"]["template"])


def right(dossier: Dossier) -> Iterator[Static]:
    """What changed, what is near, what repairs tried, what people did."""
    if dossier.remark:
        yield _text(dossier.remark, "$text-warning")
    yield from _changed(dossier)
    yield from _similar(dossier)
    yield from _repairs(dossier)
    yield from _said(dossier.page)
    yield from _history(dossier.page["history"])


# -- the left column


def _head(page: Mapping[str, Any]) -> Iterator[Static]:
    group = page["group"]
    confirmed = group["confirmed_cause"]
    sign, words, style = ("✓", "CONFIRMED", "$text-success") if confirmed else VERDICTS[group["verdict"]]
    cause = plain(confirmed or group["cause"])
    yield Static(Content.assemble((f"{sign} {words}", f"bold {style}"), "  ", (cause, "bold")), classes="headline")
    if confirmed and confirmed != group["cause"]:
        yield _dim(f"answered as {group['cause']}")
    times = f"{group['count']:,} incident{'s' if group['count'] != 1 else ''}"
    yield _row(f"{group['id']}  {times} in {group['builds']:,} of {group['of']:,} builds", "group", group["id"])
    owner = f"owner {group['owner']}" if group["owner"] else "no owner"
    cured = f" · cured by {group['confirmed_fix']}" if group["confirmed_fix"] else ""
    yield _text(f"state {group['state']} · {owner}{cured}")
    yield _dim(f"first {minute(group['first_seen'])} · last {minute(group['last_seen'])} UTC")
    if group["merged_into"]:
        yield _row(f"merged into {group['merged_into']}", "incident", group["merged_into"])
    if group["note"]:
        yield _text(f"note: {group['note']}")


def _lines(cause: Mapping[str, Any], log: str | None) -> Iterator[Static]:
    yield _title("Decisive lines")
    for line in cause["evidence"][:MOST_LINES]:
        words = Content.assemble((f"▶ {line['line']:,}  ", "$text-error"), plain(line["text"])[:600])
        yield _row(words, "line", str(line["line"])) if log else Static(words, classes="text")
    if len(cause["evidence"]) > MOST_LINES:
        yield _dim(f"and {len(cause['evidence']) - MOST_LINES} more")


def _why(incident: Mapping[str, Any]) -> Iterator[Static]:
    yield _title("Why")
    yield _text(incident["causes"][0]["why"])
    for cause in incident["causes"][1:]:
        yield _row(f"or {cause['id']}: {cause['why']}", "cause", cause["id"])
    for out in incident["ruled_out"][:MOST_OUT]:
        yield _dim(f"not {out['id']}: {out['why']}")
    if len(incident["ruled_out"]) > MOST_OUT:
        yield _dim(f"and {len(incident['ruled_out']) - MOST_OUT} more were ruled out")


def _to_do(page: Mapping[str, Any]) -> Iterator[Static]:
    cause = page["group"]["confirmed_cause"] or page["incident"]["causes"][0]["id"]
    if cause == "unknown":
        return
    yield _title("What to do")
    if page["incident"]["needed"]:
        yield _text(f"To be sure, get: {page['incident']['needed']}")
    for fix in page["incident"]["causes"][0]["fixes"] if cause == page["incident"]["causes"][0]["id"] else ():
        yield _row(f"· {fix['title']} ({fix['id']}, {fix['safety']})", "fix", fix["id"])
    yield _row(f"Read the article of {cause}", "cause", cause)


def _place(page: Mapping[str, Any]) -> Iterator[Static]:
    incident, build = page["incident"], page["build"]
    newest = "" if page["id"] == incident["id"] else "Newest incident "
    yield _title(f"{newest}{incident['id']}")
    tool = f"{incident['tool']} {incident['tool_version'] or ''}".strip()
    named = [minute(incident["at"]) + " UTC", tool, incident["stage"], incident["model"], incident["precision"]]
    yield _text(" · ".join(part for part in named if part))
    exit_code = f", exit code {build['exit_code']}" if build["exit_code"] is not None else ""
    seconds = f", {build['seconds']:.1f} s" if build["seconds"] is not None else ""
    yield _text(f"{build['source']}{exit_code}{seconds}")
    where = [f"{name} {build[name]}" for name in _WHERE if build[name]]
    if where:
        yield _dim(" · ".join(where))
    if build["run_url"]:
        yield _row(build["run_url"], "copy", build["run_url"])
    yield _row("Open the stored log", "line", "0") if build["log"] else _dim("Its log was not kept.")


def _environment(found: Mapping[str, Any]) -> Iterator[Static]:
    facts = list(_flat(found))
    if not facts:
        return
    yield _title("Environment")
    room = max(len(name) for name, _ in facts[:MOST_FACTS])
    for name, value in facts[:MOST_FACTS]:
        yield _dim(f"{name:<{min(room, 28)}}  {value}")
    if len(facts) > MOST_FACTS:
        yield _dim(f"and {len(facts) - MOST_FACTS} more")


def _flat(found: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(found.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, above or f"{name} ")
        elif value:
            yield f"{above}{name}" if above not in ("log ", "machine ") else str(name), str(value)


# -- the right column


def _changed(dossier: Dossier) -> Iterator[Static]:
    found = dossier.beside.changed if dossier.beside else None
    yield _title("Since the last good build")
    if found is None:
        yield _dim("No good build of this model, stage and target is known.")
        return
    yield _text(found.sentence)
    for kind, name, before, after in found.differences[:MOST_CHANGES]:
        what = name if kind in ("package", name) else f"{kind} {name}"
        yield _text(f"~ {what}: {before or 'not there'} → {after or 'not there'}")
    if len(found.differences) > MOST_CHANGES:
        yield _dim(f"and {len(found.differences) - MOST_CHANGES} more differences")
    if found.new_lines:
        yield _dim("New lines in its log")
        for line, text, times in found.new_lines[:MOST_LINES]:
            yield _text(f"+ {line:,}  {text[:300]}" + (f"  ({times} times)" if times > 1 else ""))


def _similar(dossier: Dossier) -> Iterator[Static]:
    found = dossier.beside.similar if dossier.beside else ()
    yield _title("Similar failures")
    for near in found:
        cured = f", cured by {near.fix}" if near.fix else ""
        head = Content.assemble(f"{near.id}  {near.score:.2f}  ", (plain(near.cause), "bold"), f", {near.state}{cured}")
        yield _row(head + Content(f"\n  {plain(near.why)}"), "incident", near.id)
    if not found:
        yield _dim("Nothing else in the archive is near.")


def _repairs(dossier: Dossier) -> Iterator[Static]:
    repairs = dossier.page["repairs"]
    if not repairs:
        return
    yield _title("Repairs")
    for repair in repairs:
        proven = " and proven" if repair["status"] == "cured" and repair["verified"] else ""
        sign = "✓" if repair["status"] == "cured" else "✗"
        why = f": {repair['why']}" if repair["why"] else ""
        yield _text(f"{sign} {minute(repair['at'])}  {repair['status']}{proven}{why}  {repair['uid']}")
        for tried in dossier.beside.attempts.get(repair["uid"], ()) if dossier.beside else ():
            words = f"  {_RESULTS[tried.helped]} {tried.fix} ({tried.safety}): {tried.result}. {tried.what}"
            yield _row(words, "fix", tried.fix)


def _said(page: Mapping[str, Any]) -> Iterator[Static]:
    if not page["confirmations"]:
        return
    yield _title("Confirmed")
    for one in page["confirmations"]:
        agreed = "agreed" if one["agreed"] else "corrected"
        note = f": {one['note']}" if one["note"] else ""
        fix = f", cured by {one['fix']}" if one["fix"] else ""
        yield _text(f"{minute(one['at'])}  {one['actor']} {agreed}, {one['cause']}{fix}{note}")


def _history(lines: list[dict[str, Any]]) -> Iterator[Static]:
    yield _title("History")
    for line in reversed(lines):
        undone = "  (undone)" if line["undone"] else ""
        words = (
            f"{line['id']:>4}  {minute(line['at'])}  {line['actor']}  {line['kind']}: {in_words(line['data'])}{undone}"
        )
        can = line["kind"] in UNDOABLE and not line["undone"] and line["actor"] != "triage"
        yield _row(words, "undo", str(line["id"])) if can else _dim(words)
    if not lines:
        yield _dim("Nobody has decided anything yet.")
