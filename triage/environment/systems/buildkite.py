"""Buildkite.

Read are BUILDKITE (the mark), BUILDKITE_PIPELINE_SLUG with BUILDKITE_LABEL or BUILDKITE_STEP_KEY (the name),
BUILDKITE_PARALLEL_JOB and BUILDKITE_PARALLEL_JOB_COUNT, BUILDKITE_REPO, BUILDKITE_PIPELINE_PROVIDER (with the
address of the repository it tells the code host), BUILDKITE_BRANCH, BUILDKITE_COMMIT (``HEAD`` until the checkout),
BUILDKITE_PIPELINE_DEFAULT_BRANCH, BUILDKITE_PULL_REQUEST (``false`` for none), BUILDKITE_PULL_REQUEST_BASE_BRANCH,
BUILDKITE_PULL_REQUEST_REPO, BUILDKITE_BUILD_NUMBER, BUILDKITE_BUILD_URL, BUILDKITE_JOB_ID, BUILDKITE_RETRY_COUNT,
BUILDKITE_COMMAND_EXIT_STATUS.
"""

from __future__ import annotations

from collections.abc import Mapping

from triage.environment.place import without_password
from triage.environment.systems import _values as values
from triage.environment.systems._hosts import place_of
from triage.records import Job

_PROVIDERS = ("github", "gitlab")  # Enterprise and Community editions begin with these too


def here(environ: Mapping[str, str]) -> bool:
    """BUILDKITE."""
    return values.is_set(environ, "BUILDKITE")


def job(environ: Mapping[str, str]) -> Job:
    """The job that runs; its run is the build's number, which counts up."""
    provider = environ.get("BUILDKITE_PIPELINE_PROVIDER", "")
    host = environ.get("TRIAGE_HOST") or next((name for name in _PROVIDERS if provider.startswith(name)), None)
    place = place_of(environ.get("BUILDKITE_REPO"), host)
    change = values.number(environ.get("BUILDKITE_PULL_REQUEST"))
    return Job(
        system="buildkite",
        name=_name(environ),
        host=place.host if place else None,
        api=place.api if place else None,
        repository=place.repository if place else None,
        commit=values.commit(environ.get("BUILDKITE_COMMIT")),
        branch=values.text(environ.get("BUILDKITE_BRANCH")),
        base=values.text(environ.get("BUILDKITE_PULL_REQUEST_BASE_BRANCH")),
        default_branch=values.text(environ.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH")),
        change=change,
        run=values.number(environ.get("BUILDKITE_BUILD_NUMBER")),
        job=values.word(environ.get("BUILDKITE_JOB_ID")),
        attempt=attempt(environ) or 1,
        run_url=_page(environ),
        trusted=change is None or _ours(environ),
    )


def filed(environ: Mapping[str, str], found: Job) -> Job:
    """The address of the repository as the pipeline has it."""
    address = environ.get("BUILDKITE_REPO")
    return found._replace(repository=values.text(without_password(address), 500) if address else None)


def attempt(environ: Mapping[str, str]) -> int | None:
    """BUILDKITE_RETRY_COUNT, which counts from 0."""
    times = values.count(environ.get("BUILDKITE_RETRY_COUNT"), 0)
    return None if times is None else times + 1


def status(environ: Mapping[str, str]) -> str | None:
    """BUILDKITE_COMMAND_EXIT_STATUS, which hooks get that run after the command."""
    code = environ.get("BUILDKITE_COMMAND_EXIT_STATUS")
    return None if not code else "success" if code == "0" else "failure"


def _name(environ: Mapping[str, str]) -> str:
    number, of = (values.count(environ.get(f"BUILDKITE_PARALLEL_JOB{end}"), 0) for end in ("", "_COUNT"))
    return values.named(
        values.text(environ.get("BUILDKITE_PIPELINE_SLUG")),
        values.text(values.first(environ, "BUILDKITE_LABEL", "BUILDKITE_STEP_KEY")),
        f"{number + 1} of {of}" if number is not None and of and of > 1 else None,
    )


def _page(environ: Mapping[str, str]) -> str | None:
    url, job_id = values.address(environ.get("BUILDKITE_BUILD_URL")), values.word(environ.get("BUILDKITE_JOB_ID"))
    return f"{url}#{job_id}" if url and job_id else url


def _ours(environ: Mapping[str, str]) -> bool:
    """Whether a change comes from the pipeline's own repository; its address may be another form of the same."""
    theirs = environ.get("BUILDKITE_PULL_REQUEST_REPO")
    if not theirs:
        return True
    paths = [place_of(address) for address in (theirs, environ.get("BUILDKITE_REPO"))]
    return bool(paths[0] and paths[1]) and len({place.repository.lower() for place in paths if place}) == 1
