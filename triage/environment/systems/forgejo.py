"""Forgejo Actions.

The mark is FORGEJO_ACTIONS. The other variables are GitHub's, with their names: GITHUB_WORKFLOW, GITHUB_JOB,
GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_REF, GITHUB_REF_NAME, GITHUB_HEAD_REF, GITHUB_BASE_REF, GITHUB_EVENT_NAME,
GITHUB_EVENT_PATH, GITHUB_RUN_ID. Other than there, GITHUB_API_URL ends in /api/v1 (where it is not set it is
taken from GITHUB_SERVER_URL), and the page of a run goes by GITHUB_RUN_NUMBER and
is the same for every attempt; the attempt is put behind it, so that two builds have two addresses.
"""

from __future__ import annotations

from collections.abc import Mapping

from triage.environment.systems import _actions
from triage.environment.systems import _values as values
from triage.records import Job


def here(environ: Mapping[str, str]) -> bool:
    """FORGEJO_ACTIONS."""
    return values.is_set(environ, "FORGEJO_ACTIONS")


def job(environ: Mapping[str, str]) -> Job:
    """The job that runs."""
    return _actions.gitea_job_of(environ, "forgejo")


def filed(environ: Mapping[str, str], found: Job) -> Job:
    """The commit that was built."""
    return _actions.as_built(environ, found)


def attempt(environ: Mapping[str, str]) -> int | None:
    """GITHUB_RUN_ATTEMPT, which newer versions set."""
    return _actions.attempt_of(environ)
