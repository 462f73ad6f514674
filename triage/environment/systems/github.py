"""GitHub Actions, also of an Enterprise Server.

Read are GITHUB_ACTIONS (the mark), GITHUB_WORKFLOW and GITHUB_JOB (the name; they do not tell the jobs of a matrix
apart: TRIAGE_JOB_NAME does), GITHUB_API_URL, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_REF,
GITHUB_REF_NAME, GITHUB_HEAD_REF, GITHUB_BASE_REF, GITHUB_EVENT_NAME, GITHUB_ACTOR, GITHUB_RUN_ID,
GITHUB_RUN_ATTEMPT and the event in GITHUB_EVENT_PATH. For a pull request GITHUB_SHA is a merge that was made to test
it; the head of the change stands in the event only.

In a ``workflow_run`` the job is that of the run that the event is about: its id, attempt, commit and branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.environment.systems import _actions
from triage.environment.systems import _values as values
from triage.environment.systems._hosts import api_of
from triage.records import Job


def here(environ: Mapping[str, str]) -> bool:
    """GITHUB_ACTIONS, which Gitea and Forgejo set as well as their own."""
    others = values.is_set(environ, "GITEA_ACTIONS") or values.is_set(environ, "FORGEJO_ACTIONS")
    return values.is_set(environ, "GITHUB_ACTIONS") and not others


def job(environ: Mapping[str, str]) -> Job:
    """The job that runs, or in a ``workflow_run`` the run that ended."""
    event = _actions.event_of(environ)
    found = _actions.job_of(environ, event, "github", "github")
    found = found._replace(api=found.api or api_of("github", _server(environ)))
    run = event.get("workflow_run")
    if environ.get("GITHUB_EVENT_NAME") == "workflow_run" and isinstance(run, dict):
        return _of_run(found, run)
    url = _actions.run_address(environ, found.run)
    return found._replace(run_url=_with_attempt(url, found.attempt))


def filed(environ: Mapping[str, str], found: Job) -> Job:
    """The commit that was built: the merge, where there is one."""
    if environ.get("GITHUB_EVENT_NAME") == "workflow_run":
        return found
    return _actions.as_built(environ, found)


def attempt(environ: Mapping[str, str]) -> int | None:
    """GITHUB_RUN_ATTEMPT."""
    return _actions.attempt_of(environ)


def run_status(environ: Mapping[str, str]) -> str | None:
    """The conclusion of the run that a ``workflow_run`` is about."""
    if environ.get("GITHUB_EVENT_NAME") != "workflow_run":
        return None
    return values.text(_actions.within(_actions.event_of(environ), "workflow_run", "conclusion"))


def _of_run(found: Job, run: Mapping[str, Any]) -> Job:
    times = values.count(run.get("run_attempt")) or 1
    commit = values.commit(run.get("head_sha"))
    pulls = run.get("pull_requests")
    pull = pulls[0] if isinstance(pulls, list) and len(pulls) == 1 else None
    if commit is None or values.commit(_actions.within(pull, "head", "sha")) != commit:
        pull = None  # none, several, or one that has moved on: the host must be asked
    return found._replace(
        name=values.named(values.text(run.get("name"))) or found.name,
        commit=commit,
        branch=values.text(run.get("head_branch")),
        base=values.text(_actions.within(pull, "base", "ref")),
        change=values.number(_actions.within(pull, "number")),
        run=values.number(run.get("id")),
        job=None,
        attempt=times,
        run_url=_with_attempt(values.address(run.get("html_url")), times),
        trusted=True,  # it runs in the base repository, with that one's token
    )


def _with_attempt(url: str | None, times: int) -> str | None:
    return f"{url}/attempts/{times}" if url and times > 1 and "/attempts/" not in url else url


def _server(environ: Mapping[str, str]) -> str | None:
    server = values.address(environ.get("GITHUB_SERVER_URL"))
    return server and server.rstrip("/")
