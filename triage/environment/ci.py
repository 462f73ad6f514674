"""Where a run belongs: host, CI system, repository, branch, commit, run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from triage.environment.place import asked, told, without_password
from triage.environment.records import Revision
from triage.ingest.text import plain
from triage.records import Origin


class _System(NamedTuple):
    """A CI system: the variable that marks it, and variables to read, the first that is set counts."""

    name: str
    mark: str
    repository: tuple[str, ...]
    branch: tuple[str, ...]
    commit: tuple[str, ...]
    url: tuple[str, ...]
    job: tuple[str, ...]
    attempt: str | None = None
    first: int = 1  # what the attempt counts from


_ACTIONS = (
    ("GITHUB_REPOSITORY",), ("GITHUB_HEAD_REF", "GITHUB_REF_NAME"), ("GITHUB_SHA",), (), ("GITHUB_JOB",),
    "GITHUB_RUN_ATTEMPT",
)  # fmt: skip
_SYSTEMS = (  # those that also set GitHub's variables come before GitHub
    _System("forgejo", "FORGEJO_ACTIONS", *_ACTIONS),
    _System("gitea", "GITEA_ACTIONS", *_ACTIONS),
    _System("github", "GITHUB_ACTIONS", *_ACTIONS),
    _System(
        "gitlab", "GITLAB_CI", ("CI_PROJECT_PATH",), ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        ("CI_COMMIT_SHA",), ("CI_JOB_URL", "CI_PIPELINE_URL"), ("CI_JOB_NAME",),
    ),
    _System(
        "buildkite", "BUILDKITE", ("BUILDKITE_REPO",), ("BUILDKITE_BRANCH",), ("BUILDKITE_COMMIT",),
        ("BUILDKITE_BUILD_URL",), ("BUILDKITE_LABEL", "BUILDKITE_STEP_KEY"), "BUILDKITE_RETRY_COUNT", 0,
    ),
    _System(
        "jenkins", "JENKINS_URL", ("GIT_URL", "GIT_URL_1"), ("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
        ("GIT_COMMIT",), ("BUILD_URL", "RUN_DISPLAY_URL"), ("JOB_NAME",),
    ),
)  # fmt: skip


def origin(environ: Mapping[str, str] | None = None, *, cwd: str | None = None) -> Origin:
    """Origin of what runs here: from the CI system's variables, else from git in the working folder.

    ``ci`` is github, gitlab, jenkins, buildkite, gitea or forgejo, None elsewhere; no
    address holds a password.
    """
    environ = os.environ if environ is None else environ
    system = _system(environ)
    if system is None:
        return _local(told(asked(cwd or os.getcwd())))
    repository = _first(environ, system.repository)
    return Origin(
        host=_host(),
        ci=system.name,
        repository=without_password(repository) if repository else None,
        branch=_first(environ, system.branch),
        commit=_first(environ, system.commit),
        run_url=_run_url(environ, system),
        job=_first(environ, system.job),
    )


def attempt(environ: Mapping[str, str] | None = None) -> int | None:
    """How often the CI system has run this job, from 1; None where it does not say."""
    environ = os.environ if environ is None else environ
    system = _system(environ)
    text = environ.get(system.attempt or "", "") if system else ""
    return int(text) + 1 - system.first if system and text.isascii() and text.isdigit() else None


def _system(environ: Mapping[str, str]) -> _System | None:
    return next((system for system in _SYSTEMS if environ.get(system.mark, "").lower() not in ("", "false")), None)


def _run_url(environ: Mapping[str, str], system: _System) -> str | None:
    if system.url:
        url = _first(environ, system.url)
        job = environ.get("BUILDKITE_JOB_ID")
        url = f"{url}#{job}" if url and job and system.name == "buildkite" else url
        return plain(url) if url else None
    number = environ.get("GITHUB_RUN_ID" if system.name == "github" else "GITHUB_RUN_NUMBER")
    server, repository = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    if not (number and server and repository):
        return None
    url = f"{server}/{repository}/actions/runs/{number}"
    times = attempt(environ) or 1
    return plain(f"{url}/attempts/{times}" if times > 1 and system.name == "github" else url)


def _local(revision: Revision | None) -> Origin:
    where = revision or Revision(None, None, False, None)
    return Origin(_host(), None, where.remote, where.branch, where.commit)


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    found = next((environ[name] for name in names if environ.get(name)), None)
    return plain(found)[:500] if found else None


def _host() -> str | None:
    import socket

    return plain(socket.gethostname()) or None
