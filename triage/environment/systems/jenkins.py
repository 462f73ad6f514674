"""Jenkins: multibranch and organisation folders, pipelines, freestyle jobs.

Read are JENKINS_URL or JENKINS_HOME with JOB_NAME (the mark), STAGE_NAME (parallel stages and cells of a matrix are
jobs of their own), BRANCH_NAME, BRANCH_IS_PRIMARY, CHANGE_ID, CHANGE_URL (its form tells the code host), CHANGE_TARGET,
CHANGE_BRANCH, CHANGE_FORK, GIT_URL or GIT_URL_1, GIT_BRANCH, GIT_COMMIT, BUILD_NUMBER, BUILD_URL, RUN_DISPLAY_URL.

JOB_NAME of a multibranch job ends in the branch, which is no part of the name here: the same job on another branch is
the same job. Where Jenkins merges a change with its target before it builds, GIT_COMMIT is that merge, which no host
knows; the head of the change is then what git in the workspace calls ``origin/BRANCH_NAME``. TRIAGE_COMMIT states it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from triage.environment.place import revision_of, without_password
from triage.environment.systems import _values as values
from triage.environment.systems._hosts import place_of, place_of_change
from triage.records import Job

_OWN_STAGE = re.compile(r"Declarative: ")  # checkout, post actions and the like


def here(environ: Mapping[str, str]) -> bool:
    """JOB_NAME beside JENKINS_URL, which is set only where Jenkins knows its own address, or JENKINS_HOME."""
    return bool(environ.get("JOB_NAME")) and bool(values.first(environ, "JENKINS_URL", "JENKINS_HOME"))


def job(environ: Mapping[str, str]) -> Job:
    """The job that runs."""
    clone = values.first(environ, "GIT_URL", "GIT_URL_1")
    place = place_of_change(environ.get("CHANGE_URL")) or place_of(clone, environ.get("TRIAGE_HOST"))
    branch = values.text(environ.get("BRANCH_NAME"))
    change = values.number(environ.get("CHANGE_ID")) or (place.change if place else None)
    source = values.first(environ, "CHANGE_BRANCH", *(() if change else ("BRANCH_NAME",)), "GIT_BRANCH")
    return Job(
        system="jenkins",
        name=_name(environ, branch),
        host=place.host if place else None,
        api=place.api if place else None,
        repository=place.repository if place else None,
        commit=_head(environ, branch) if change else values.commit(environ.get("GIT_COMMIT")),
        branch=values.text((source or "").removeprefix("origin/")),
        base=values.text(environ.get("CHANGE_TARGET")),
        default_branch=branch if values.is_set(environ, "BRANCH_IS_PRIMARY") else None,
        change=change,
        run=values.number(environ.get("BUILD_NUMBER")),
        run_url=values.address(values.first(environ, "BUILD_URL", "RUN_DISPLAY_URL")),
        trusted=not environ.get("CHANGE_FORK"),
    )


def filed(environ: Mapping[str, str], found: Job) -> Job:
    """The address of the repository, the branch by git's name and the commit that was built."""
    address = values.first(environ, "GIT_URL", "GIT_URL_1")
    return found._replace(
        repository=values.text(without_password(address), 500) if address else None,
        branch=values.text(values.first(environ, "CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH")),
        commit=values.commit(environ.get("GIT_COMMIT")),
    )


def _name(environ: Mapping[str, str], branch: str | None) -> str:
    folder, _, last = environ.get("JOB_NAME", "").rpartition("/")
    of_branch = branch and folder and (environ.get("CHANGE_ID") or unquote(last) == environ.get("BRANCH_NAME"))
    stage = values.text(environ.get("STAGE_NAME"))
    return values.named(
        values.text(folder if of_branch else environ.get("JOB_NAME")),
        stage if stage and not _OWN_STAGE.match(stage) else None,
    )


def _head(environ: Mapping[str, str], branch: str | None) -> str | None:
    known = revision_of(f"refs/remotes/origin/{branch}", environ.get("WORKSPACE")) if branch else None
    return values.commit(known) or values.commit(environ.get("GIT_COMMIT"))
