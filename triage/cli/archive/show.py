"""Show one incident: verdict, evidence, where it came from, history; or its stored log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive show i-4kq2m7x2ab3c
triage archive show g-7c2mzzq41xpa --format json
triage archive show i-4kq2m7x2ab3c --log | triage diagnose -
"""
_WHERE = ("repository", "branch", "commit", "run_url", "job", "host", "ci")


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive show``."""
    from triage.cli._archive import add_format

    parser.add_argument("id", help="id of an incident or group, or its beginning")
    parser.add_argument("--log", action="store_true", help="print the stored log (secrets are masked)")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Prints the page, or the log."""
    from triage.cli._archive import opened, print_json
    from triage.service import curation

    with opened() as archive:
        if arguments.log:
            sys.stdout.flush()
            sys.stdout.buffer.write(curation.stored_log(archive, arguments.id))
            return 0
        page = curation.page(archive, arguments.id)
    if arguments.format == "json":
        print_json(page)
    else:
        print("\n".join(_page(page)))
    return 0


def _page(page: dict[str, Any]) -> Iterator[str]:
    group, incident = page["group"], page["incident"]
    cause = group["confirmed_cause"] or group["cause"]
    how = "confirmed" if group["confirmed_cause"] else group["verdict"]
    yield f"{page['id']}  {how.upper()}  {cause}"
    times = f"{group['count']:,} incident{'s' if group['count'] != 1 else ''}"
    builds = f"{group['builds']:,} of {group['of']:,} builds"
    days = f"{_day(group['first_seen'])} to {_day(group['last_seen'])}"
    yield f"  group {group['id']}, {group['state']}, {times} in {builds}, {days}"
    if group["merged_into"]:
        yield f"  merged into {group['merged_into']}"
    if group["owner"]:
        yield f"  owner {group['owner']}"
    if group["confirmed_fix"]:
        yield f"  cured by {group['confirmed_fix']}"
    if group["note"]:
        yield f"  note: {group['note']}"
    if incident:
        yield from _incident(page)
    yield from _repairs(page["repairs"])
    yield from _history(page["history"])


def _incident(page: dict[str, Any]) -> Iterator[str]:
    incident, build = page["incident"], page["build"]
    named = [incident["tool"], incident["tool_version"], incident["stage"], incident["model"], incident["precision"]]
    yield ""
    yield f"Newest incident {incident['id']}" if page["id"] != incident["id"] else "Incident"
    yield f"  {_time(incident['at'])}  {' · '.join(part for part in named if part)}"
    yield f"  {build['source']}" + (f", exit code {build['exit_code']}" if build["exit_code"] is not None else "")
    for name in _WHERE:
        if build[name]:
            yield f"  {name.replace('_', ' '):<11}{build[name]}"
    yield ""
    yield "Decisive lines"
    for line in incident["causes"][0]["evidence"]:
        yield f"  {line['line']:>6} │ {line['text']}"
    yield ""
    yield f"Why  {incident['causes'][0]['why']}"
    if page["environment"]:
        yield ""
        yield "Environment"
        yield from (f"  {name:<16}{value}" for name, value in sorted(page["environment"].items()) if value)


def _repairs(repairs: list[dict[str, Any]]) -> Iterator[str]:
    if repairs:
        yield ""
        yield "Repairs"
    for repair in repairs:
        proven = " and proven" if repair["status"] == "cured" and repair["verified"] else ""
        fixes = ", ".join(repair["fixes"]) or f"{repair['tried']} tried"
        yield f"  {_time(repair['at'])}  {repair['status']}{proven}: {fixes}  {repair['uid']}"


def _history(lines: list[dict[str, Any]]) -> Iterator[str]:
    from triage.archive.history import in_words

    if lines:
        yield ""
        yield "History"
    for line in lines:
        undone = "  (undone)" if line["undone"] else ""
        head = f"  {line['id']:>5}  {_time(line['at'])}  {line['actor']}  {line['kind']}"
        yield f"{head}: {in_words(line['data'])}{undone}"


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d}"
