"""Gitea and Forgejo, through httpx2.

API: docs.gitea.com/api (issueGetComments, issueCreateComment, issueEditComment, userGetCurrent, repoCreateStatus,
repoListStatuses, repoListPullRequests; logs of jobs since Gitea 1.24) and its form in Forgejo, which has no logs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from triage.ci import _facts
from triage.ci._comments import Comments, of_issue
from triage.ci._faults import cut
from triage.ci._message import Access, HostFault, JobLog, Message, Posted
from triage.ci._thread import keep_one
from triage.ci._transport import log_chunks, plain_sender, token_of
from triage.ci._wire import Wire, checked, inner, records
from triage.ingest.text import plain
from triage.records import Job

TOKENS = ("TRIAGE_GITEA_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN", "GITHUB_TOKEN")
_ACTORS = ("gitea-actions", "forgejo-actions")  # whom the token of a job belongs to; no person can have the names
_ADVICE = {
    401: "The token is wrong or expired: see TRIAGE_GITEA_TOKEN, GITEA_TOKEN, FORGEJO_TOKEN, GITHUB_TOKEN.",
    403: "The token may not do this: it needs write:issue, write:repository for a status, and read:user.",
    404: "The repository, the pull request or this part of the API does not exist there, or the token may not see it: "
    "see TRIAGE_REPOSITORY, TRIAGE_CHANGE and TRIAGE_API_URL.",
}


def post(message: Message, access: Access) -> Posted:
    """Keeps one comment on the pull request."""
    job = message.job
    repo, number = _facts.repository(job), _facts.change(job)
    with _wire(job, access) as wire:
        shape = of_issue(repo, number, _mine(wire), size=50, size_name="limit")
        return keep_one(Comments(wire, shape), message)


def check(message: Message, access: Access) -> Posted:
    """A status of the commit: a warning while the job fails, never a failure of its own."""
    repo, commit = _facts.repository(message.job), _facts.commit(message.job)
    context = f"triage / {plain(message.job.name)[:100]}"
    state, text = ("warning" if message.failing else "success"), plain(message.title)[:140]
    with _wire(message.job, access) as wire:
        path = f"/repos/{repo}/statuses/{commit}"
        last = _last_status(wire, path, context)
        if last and (last.get("status"), last.get("description")) == (state, text):
            return Posted("unchanged", _facts.link(last, "target_url"))
        if not message.failing and (not last or last.get("status") == "success"):
            return Posted("nothing")
        body = {"state": state, "context": context, "description": text, "target_url": message.job.run_url or ""}
        done = wire.write("POST", path, body)
        if done is None:
            return Posted("not-sent")
        return Posted("updated" if last else "created", _facts.link(done, "target_url"))


def job_logs(job: Job, access: Access) -> Iterator[JobLog]:
    """The logs of the failed jobs of the run."""
    repo = _facts.repository(job)
    path = f"/repos/{repo}/actions/runs/{_facts.run(job)}/jobs"
    with _wire(job, access) as wire:
        found = [
            item
            for page in wire.pages(path, {}, 50, "limit")
            for item in records(wire, path, inner(wire, path, page, "jobs"))
        ]
    for item in found:
        if item.get("conclusion") == "failure" and type(item.get("id")) is int:
            log = f"/repos/{repo}/actions/jobs/{item['id']}/logs"
            chunks = log_chunks(partial(_wire, job, access), log, access)
            yield JobLog(cut(str(item.get("name"))), _facts.link(item), chunks)


def change_of(job: Job, access: Access) -> str | None:
    """The open pull request whose head is exactly the commit, among those changed last."""
    repo, commit = _facts.repository(job), _facts.commit(job)
    path = f"/repos/{repo}/pulls"
    with _wire(job, access) as wire:
        found = wire.read(path, {"state": "open", "sort": "recentupdate", "limit": "50"})
        fitting = _facts.open_pulls(records(wire, path, found), commit)
    return _facts.chosen(job, fitting)


def _last_status(wire: Wire, path: str, context: str) -> Mapping[str, Any] | None:
    found = records(wire, path, wire.read(path, {"sort": "recentupdate", "limit": "50"}))
    ours = [item for item in found if item.get("context") == context and type(item.get("id")) is int]
    return max(ours, key=lambda item: int(item["id"]), default=None)


def _mine(wire: Wire) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a comment's author is who the token belongs to; asked once, and only where it matters."""
    me: list[object] = []

    def mine(author: Mapping[str, Any]) -> bool:
        if not me:
            me.append(_user(wire))
        if me[0] is not None:
            return author.get("id") == me[0]
        named = os.environ.get("TRIAGE_COMMENT_AUTHOR")
        if named:
            return author.get("login") == named
        return author.get("login") in _ACTORS

    return mine


def _user(wire: Wire) -> int | None:
    """Whose the token is; None where a token may not ask that."""
    try:
        found = wire.read("/user")
    except HostFault as fault:
        if fault.status in {403, 404} and fault.retry_after is None:
            return None
        raise
    if not isinstance(found, Mapping) or type(found.get("id")) is not int:
        raise wire.strange("/user", "the user has no id")
    return int(found["id"])


@contextmanager
def _wire(job: Job, access: Access) -> Iterator[Wire]:
    if not job.api:
        raise HostFault(
            "the address of the Gitea or Forgejo API is not known. Set TRIAGE_API_URL: https://host/api/v1."
        )
    api = checked(job.api)
    token = token_of(access, TOKENS, "Gitea")
    headers = {"accept": "application/json", **({"authorization": f"token {token}"} if token else {})}
    with plain_sender(access, headers) as send:
        yield Wire(api, access._replace(token=token), send, _ADVICE)
