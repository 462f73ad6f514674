"""What must be known of a job before a host is asked, and addresses that hosts send, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from triage.ci._faults import cut, lacking
from triage.records import Job


def repository(job: Job, parts: int = 2) -> str:
    """``owner/name``, quoted for a path."""
    names = (job.repository or "").split("/")
    if len(names) != parts or not all(re.fullmatch(r"[\w.-]{1,200}", name) and name.strip(".") for name in names):
        raise lacking(f"{cut(job.repository or 'nothing')!r} is no repository", "Set TRIAGE_REPOSITORY: owner/name.")
    return "/".join(quote(name, safe="") for name in names)


def change(job: Job) -> str:
    """The number of the pull or merge request."""
    if not re.fullmatch(r"[0-9]{1,18}", job.change or ""):
        raise lacking("no pull or merge request is known for this job", "Set TRIAGE_CHANGE to its number.")
    return str(job.change)


def commit(job: Job) -> str:
    """The head of the change."""
    if not re.fullmatch(r"[0-9a-fA-F]{7,64}", job.commit or ""):
        raise lacking("no commit is known for this job", "Set TRIAGE_COMMIT.")
    return str(job.commit).lower()


def run(job: Job) -> str:
    """The id of the run or pipeline."""
    if not re.fullmatch(r"[0-9]{1,20}", job.run or ""):
        raise lacking("no run or pipeline is known for this job", "Name its log, or set the run.")
    return str(job.run)


def link(item: Mapping[str, Any], name: str = "html_url") -> str | None:
    """An address that a host sent; None where it is none that may be shown."""
    value = item.get(name)
    return value if isinstance(value, str) and re.fullmatch(r"https?://[!-;=?-~]{1,2000}", value) else None


def deep(item: Mapping[str, Any], *names: str) -> Any:
    """A value in records within records; None where there is none."""
    value: Any = item
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def open_pulls(items: Sequence[Mapping[str, Any]], head: str) -> list[tuple[str, str]]:
    """Of pull requests as GitHub and Gitea list them: (number, base branch) of the open ones with exactly this head."""
    return [
        (str(item["number"]), str(deep(item, "base", "ref")))
        for item in items
        if item.get("state") == "open" and deep(item, "head", "sha") == head and type(item.get("number")) is int
    ]


def chosen(job: Job, found: list[tuple[str, str]]) -> str | None:
    """One of several changes (number, base branch) with the same head: the one to the job's base, else the oldest."""
    fitting = [number for number, base in found if job.base and base == job.base]
    return min(fitting or [number for number, _ in found], key=int, default=None)
