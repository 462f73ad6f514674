"""What GitHub Actions and those that speak its language say of a job: variables, and the event in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from triage.environment.systems import _values as values
from triage.environment.systems._hosts import api_of
from triage.records import Job

LARGEST = 8 << 20  # bytes of an event file
_NO_WRITE = "dependabot[bot]"  # its runs get a token that only reads, as those of forks


def event_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """The event of GITHUB_EVENT_PATH; empty where it is missing, no JSON or larger than 8 MiB."""
    path = environ.get("GITHUB_EVENT_PATH")
    try:
        if not path or not os.path.isfile(path) or os.path.getsize(path) > LARGEST:
            return {}
        with open(path, "rb") as stream:
            found = json.loads(stream.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def within(data: object, *names: str) -> Any:
    """What stands below these names; None where something else does."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def job_of(environ: Mapping[str, str], event: Mapping[str, Any], system: str, host: str) -> Job:
    """The job of a push, a schedule or a change; run, attempt and address of the run are the caller's."""
    stated = within(event, "pull_request", "head")
    head = stated if isinstance(stated, dict) else {}
    change = _change(environ, event)
    branch = values.first(environ, "GITHUB_HEAD_REF") or head.get("ref") or values.first(environ, "GITHUB_REF_NAME")
    default = values.text(within(event, "repository", "default_branch"))
    if environ.get("GITHUB_EVENT_NAME") == "schedule":
        default = default or values.text(environ.get("GITHUB_REF_NAME"))  # schedules run there and nowhere else
    return Job(
        system=system,
        name=values.named(values.text(environ.get("GITHUB_WORKFLOW")), values.text(environ.get("GITHUB_JOB"))),
        host=host,
        api=values.address(environ.get("GITHUB_API_URL")),
        repository=values.repository(environ.get("GITHUB_REPOSITORY")),
        commit=values.commit(head.get("sha") if change else environ.get("GITHUB_SHA")),
        branch=values.text(branch),
        base=values.text(values.first(environ, "GITHUB_BASE_REF")) or _base(event),
        default_branch=default,
        change=change,
        run=values.number(environ.get("GITHUB_RUN_ID")),
        job=values.word(environ.get("GITHUB_JOB")),
        attempt=attempt_of(environ) or 1,
        trusted=change is None or _may_write(environ, head),
    )


def attempt_of(environ: Mapping[str, str]) -> int | None:
    """GITHUB_RUN_ATTEMPT."""
    return values.count(environ.get("GITHUB_RUN_ATTEMPT"))


def run_address(environ: Mapping[str, str], number: str | None) -> str | None:
    """The page of a run, by the number that the host uses there."""
    server = values.address(environ.get("GITHUB_SERVER_URL"))
    repository = values.repository(environ.get("GITHUB_REPOSITORY"))
    return f"{server.rstrip('/')}/{repository}/actions/runs/{number}" if server and repository and number else None


def _base(event: Mapping[str, Any]) -> str | None:
    """The branch that a pull request, or a queue of them, goes to."""
    stated = within(event, "pull_request", "base", "ref") or within(event, "merge_group", "base_ref")
    return (values.text(stated) or "").removeprefix("refs/heads/") or None


def _change(environ: Mapping[str, str], event: Mapping[str, Any]) -> str | None:
    """The number of the pull request; without the event it stands in refs/pull/N/merge."""
    stated = values.number(within(event, "pull_request", "number"))
    parts = environ.get("GITHUB_REF", "").split("/")
    return stated or (values.number(parts[2]) if parts[:2] == ["refs", "pull"] and len(parts) == 4 else None)


def _may_write(environ: Mapping[str, str], head: Mapping[str, Any]) -> bool:
    """Whether the job's token may write: not for a fork, but where the base branch's own workflow runs."""
    if environ.get("GITHUB_EVENT_NAME") == "pull_request_target":
        return True
    ours = values.repository(environ.get("GITHUB_REPOSITORY"))
    theirs = values.repository(within(head.get("repo"), "full_name"))
    return theirs is not None and theirs == ours and environ.get("GITHUB_ACTOR") != _NO_WRITE


def as_built(environ: Mapping[str, str], found: Job) -> Job:
    """The job with the commit that was built, which for a change is a merge made to test it."""
    return found._replace(commit=values.commit(environ.get("GITHUB_SHA")))


def gitea_job_of(environ: Mapping[str, str], system: str) -> Job:
    """The job of Gitea, or of Forgejo, which says it alike."""
    found = job_of(environ, event_of(environ), system, "gitea")
    server = values.address(environ.get("GITHUB_SERVER_URL"))
    page = run_address(environ, values.number(environ.get("GITHUB_RUN_NUMBER")))
    return found._replace(
        api=found.api or api_of("gitea", server and server.rstrip("/")),
        run_url=f"{page}#attempt-{found.attempt}" if page and found.attempt > 1 else page,
    )
