"""GitLab CI.

Read are GITLAB_CI (the mark), CI_JOB_NAME (parallel and matrix jobs have their own), CI_JOB_ID, CI_JOB_URL,
CI_PIPELINE_ID, CI_PIPELINE_URL, CI_API_V4_URL, CI_PROJECT_PATH, CI_DEFAULT_BRANCH, CI_COMMIT_SHA,
CI_COMMIT_REF_NAME, and for merge requests CI_MERGE_REQUEST_IID, CI_MERGE_REQUEST_PROJECT_PATH,
CI_MERGE_REQUEST_SOURCE_PROJECT_PATH, CI_MERGE_REQUEST_SOURCE_BRANCH_NAME, CI_MERGE_REQUEST_TARGET_BRANCH_NAME.
CI_MERGE_REQUEST_SOURCE_BRANCH_SHA is set in pipelines of merged results only, where CI_COMMIT_SHA is the merge.
CI_JOB_STATUS tells how a job ended. The pipeline of a branch names its merge requests in CI_OPEN_MERGE_REQUESTS
(``group/project!5,…``); one is taken, of several none.
"""

from __future__ import annotations

from collections.abc import Mapping

from triage.environment.systems import _values as values
from triage.environment.systems._hosts import api_of
from triage.records import Job


def here(environ: Mapping[str, str]) -> bool:
    """GITLAB_CI."""
    return values.is_set(environ, "GITLAB_CI")


def job(environ: Mapping[str, str]) -> Job:
    """The job that runs; the repository is the one that has the merge request."""
    own = values.repository(environ.get("CI_PROJECT_PATH"), deep=True)
    target, change = _request(environ)
    source = values.repository(environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), deep=True) or own
    return Job(
        system="gitlab",
        name=values.named(values.text(environ.get("CI_JOB_NAME"))),
        host="gitlab",
        api=values.address(environ.get("CI_API_V4_URL")) or api_of("gitlab", _server(environ)),
        repository=target or own,
        commit=values.commit(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"))
        or values.commit(environ.get("CI_COMMIT_SHA")),
        branch=values.text(values.first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME")),
        base=values.text(environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")),
        default_branch=values.text(environ.get("CI_DEFAULT_BRANCH")),
        change=change,
        run=values.number(environ.get("CI_PIPELINE_ID")),
        job=values.number(environ.get("CI_JOB_ID")),
        run_url=values.address(values.first(environ, "CI_JOB_URL", "CI_PIPELINE_URL")),
        trusted=change is None or (source == own and target in (None, own)),
    )


def filed(environ: Mapping[str, str], found: Job) -> Job:
    """The project that ran it and the commit that was built."""
    return found._replace(
        repository=values.repository(environ.get("CI_PROJECT_PATH"), deep=True),
        commit=values.commit(environ.get("CI_COMMIT_SHA")),
    )


def status(environ: Mapping[str, str]) -> str | None:
    """CI_JOB_STATUS, which tells more than ``running`` in an ``after_script`` only."""
    return environ.get("CI_JOB_STATUS")


def _request(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Project and number of the merge request."""
    stated = values.number(environ.get("CI_MERGE_REQUEST_IID"))
    if stated:
        return values.repository(environ.get("CI_MERGE_REQUEST_PROJECT_PATH"), deep=True), stated
    opened = [part for part in environ.get("CI_OPEN_MERGE_REQUESTS", "").split(",") if part.strip()]
    project, _, named = opened[0].strip().rpartition("!") if len(opened) == 1 else ("", "", "")
    path, change = values.repository(project, deep=True), values.number(named)
    return (path, change) if path and change else (None, None)


def _server(environ: Mapping[str, str]) -> str | None:
    server = values.address(environ.get("CI_SERVER_URL"))
    return server and server.rstrip("/")
