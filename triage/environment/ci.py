"""Where a run belongs: host, CI system, repository, branch, commit, run; and the job, as code hosts know it.

What a system says may be overridden, and a plain shell or a system unknown here be told, by TRIAGE_HOST (a module of
``triage.ci``), TRIAGE_API_URL, TRIAGE_REPOSITORY, TRIAGE_CHANGE, TRIAGE_COMMIT, TRIAGE_JOB_NAME (which tells the
jobs of a matrix apart, where the system does not) and TRIAGE_JOB_STATUS.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from triage.environment.place import asked, told
from triage.environment.records import Revision
from triage.environment.systems import _values as values
from triage.environment.systems import system_of
from triage.ingest.text import plain
from triage.records import Job, Origin

SHELL = "shell"
_ENDINGS = {  # the words of all systems, and what they come to; nothing ran to its end where a run was skipped
    **dict.fromkeys(("failure", "failed", "timed_out", "startup_failure"), "failure"),
    **dict.fromkeys(("success", "passed"), "success"),
    **dict.fromkeys(("cancelled", "canceled", "canceling", "aborted", "skipped", "neutral", "stale", "action_required"),
                    "cancelled"),
}  # fmt: skip
_HOST = re.compile(r"[a-z][a-z0-9_-]{0,30}")


def job(environ: Mapping[str, str] | None = None, *, name: str | None = None, cwd: str | None = None) -> Job:
    """The job that runs here: from the CI system's variables, else from git in the working folder.

    Args:
        environ: the variables; default ours.
        name: its name; default TRIAGE_JOB_NAME, else what the system calls it.
        cwd: the working folder; default ours.
    """
    environ = os.environ if environ is None else environ
    system = system_of(environ)
    found = system.job(environ) if system else _hosted(_local(cwd), environ)
    return _overridden(found, environ, name)


def origin(environ: Mapping[str, str] | None = None, *, cwd: str | None = None, name: str | None = None) -> Origin:
    """Origin of what runs here, as builds are filed: see ``job`` for the arguments.

    ``ci`` is github, gitlab, jenkins, buildkite, gitea or forgejo, None elsewhere; no address holds a password. The
    commit is the one that was built, which for a change may be a merge that was made to test it.
    """
    environ = os.environ if environ is None else environ
    system = system_of(environ)
    found = _filed(system, environ, system.job(environ)) if system else _local(cwd)
    return origin_of(_overridden(found, environ, name))


def origin_of(found: Job) -> Origin:
    """A job as the archive files its builds.

    A change from a branch that is called as the one it goes to (``main`` of a fork) is filed as ``#5:main``: nothing
    that is not yet on the main branch may count as a build of it.
    """
    branch, change = found.branch, found.change
    own = {found.base, found.default_branch} - {None}
    if change and branch and (branch in own or (not own and not found.trusted)):
        branch = f"#{change}:{branch}"
    system = None if found.system == SHELL else found.system
    name = None if (found.system, found.name) == (SHELL, SHELL) else found.name
    return Origin(_machine(), system, found.repository, branch, found.commit, found.run_url, name)


def attempt(environ: Mapping[str, str] | None = None) -> int | None:
    """How often the CI system has run this job, from 1; None where it does not say."""
    environ = os.environ if environ is None else environ
    counts: Any = getattr(system_of(environ), "attempt", None)
    times: int | None = counts(environ) if counts else None
    return times


def job_status(environ: Mapping[str, str] | None = None) -> str | None:
    """How the job has ended: failure, success or cancelled; None where nobody says it, most of all while it runs."""
    environ = os.environ if environ is None else environ
    return _ENDINGS.get(environ.get("TRIAGE_JOB_STATUS", "").lower()) or _said(environ, "status")


def run_status(environ: Mapping[str, str] | None = None) -> str | None:
    """The same of the run that this job is told about (a ``workflow_run``); None where it is told about none."""
    return _said(os.environ if environ is None else environ, "run_status")


def refused(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What is wrong with TRIAGE_HOST and its kin, a sentence each; such values are passed over."""
    environ = os.environ if environ is None else environ
    return tuple(
        f"{variable} is {plain(environ[variable])[:80]!r}, which is {words}; it is passed over."
        for variable, (read, words) in _OVERRIDES.items()
        if environ.get(variable) and not read(environ[variable])
    )


def _said(environ: Mapping[str, str], question: str) -> str | None:
    answer: Any = getattr(system_of(environ), question, None)
    return _ENDINGS.get(str(answer(environ)).lower()) if answer else None


def _host(value: str) -> str | None:
    return value if _HOST.fullmatch(value) else None


def _repository(value: str) -> str | None:
    return values.repository(value, deep=True)


_OVERRIDES: Mapping[str, tuple[Any, str]] = {
    "TRIAGE_HOST": (_host, "no name of a code host: github, gitlab, gitea"),
    "TRIAGE_API_URL": (values.address, "no address: https://host/path"),
    "TRIAGE_REPOSITORY": (_repository, "no repository: owner/name"),
    "TRIAGE_CHANGE": (values.number, "no number of a pull or merge request"),
    "TRIAGE_COMMIT": (values.commit, "no commit: 7 to 64 hexadecimal digits"),
}


def _overridden(found: Job, environ: Mapping[str, str], name: str | None) -> Job:
    """A job with what a person states of it."""
    host, api, repository, change, commit = (
        read(environ[variable]) if environ.get(variable) else None for variable, (read, _) in _OVERRIDES.items()
    )
    if host and host != found.host and not api:
        from triage.environment.systems._hosts import api_of

        found = found._replace(api=api_of(host))  # never another host's: it would be handed this one's token
    given = name or values.first(environ, "TRIAGE_JOB_NAME")
    return found._replace(
        name=(given and values.named(values.text(given, 2000))) or found.name or found.system,
        host=host or found.host,
        api=api.rstrip("/") if api else found.api,
        repository=repository or found.repository,
        change=change or found.change,
        commit=commit or found.commit,
    )


def _filed(system: ModuleType, environ: Mapping[str, str], found: Job) -> Job:
    differently: Any = getattr(system, "filed", None)
    filed: Job = differently(environ, found) if differently else found
    return filed


def _local(cwd: str | None) -> Job:
    """The job of a plain shell; its repository is the address that git has."""
    where = told(asked(cwd or os.getcwd())) or Revision(None, None, False, None)
    return Job(SHELL, SHELL, repository=where.remote, commit=where.commit, branch=where.branch)


def _hosted(found: Job, environ: Mapping[str, str]) -> Job:
    """The same on its code host."""
    from triage.environment.systems._hosts import place_of

    place = place_of(found.repository, environ.get("TRIAGE_HOST"))
    if place is None:
        return found._replace(repository=None)
    return found._replace(repository=place.repository, host=place.host, api=place.api)


def _machine() -> str | None:
    import socket

    return plain(socket.gethostname()) or None
