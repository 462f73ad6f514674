"""GitHub and GitHub Enterprise Server, through githubkit.

githubkit brings address, sign-in and client; its retries and its cache are off, since triage.ci._wire has one policy
for all hosts, and its models are not used, since an older Enterprise Server leaves fields out.
A comment needs ``pull-requests: write``, a check ``checks: write``, a log ``actions: read``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from triage.ci import _facts
from triage.ci._comments import Comments, of_issue
from triage.ci._extra import library
from triage.ci._faults import cut
from triage.ci._message import Access, HostFault, JobLog, Message, Posted
from triage.ci._thread import keep_one
from triage.ci._transport import log_chunks, opened, sender, token_of, trust
from triage.ci._wire import Wire, checked, inner, records
from triage.ingest.text import plain
from triage.records import Job, Report

TOKENS = ("TRIAGE_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
_SUMMARY = 65_535
_ANNOTATIONS = 50
_PUBLIC = "https://api.github.com"
_ADVICE = {
    401: "The token is wrong or expired: see TRIAGE_GITHUB_TOKEN, GITHUB_TOKEN, GH_TOKEN.",
    403: "The token may not do this: give the job `permissions: pull-requests: write` (`checks: write` for a check, "
    "`actions: read` for a log). The token of a change from a fork may only read.",
    404: "The repository or the pull request does not exist there, or the token may not see it: "
    "see TRIAGE_REPOSITORY, TRIAGE_CHANGE and GITHUB_API_URL.",
    422: "GitHub does not accept the content: the pull request may be locked, or the text too long.",
}


def post(message: Message, access: Access) -> Posted:
    """Keeps one comment on the pull request."""
    job = message.job
    repo, number = _facts.repository(job), _facts.change(job)
    with _wire(job, access) as wire:
        shape = of_issue(repo, number, _mine(wire))
        return keep_one(Comments(wire, shape), message)


def check(message: Message, access: Access) -> Posted:
    """A check run for the commit. It informs: neutral while the job fails, never a failure of its own."""
    repo, commit = _facts.repository(message.job), _facts.commit(message.job)
    name = f"triage: {plain(message.job.name)[:100]}"
    said = f"{message.key}:{message.fingerprint}"
    with _wire(message.job, access) as wire:
        before = _check_before(wire, f"/repos/{repo}/commits/{commit}/check-runs", name, message.key)
        if before and before.get("external_id") == said:
            return Posted("unchanged", _facts.link(before))
        if not message.failing and (not before or before.get("conclusion") == "success"):
            return Posted("nothing")
        output: dict[str, object] = {"title": cut(message.title), "summary": message.body(_SUMMARY, None)}
        if not before:  # GitHub adds the annotations of an update to those that are there
            output["annotations"] = _annotations(message.reports)
        body: dict[str, object] = {
            "name": name,
            "external_id": said,
            "status": "completed",
            "conclusion": "neutral" if message.failing else "success",
            "output": output,
        }
        if message.job.run_url:
            body["details_url"] = message.job.run_url
        path = f"/repos/{repo}/check-runs"
        if before:
            done = wire.write("PATCH", f"{path}/{before['id']}", body)
        else:
            done = wire.write("POST", path, {**body, "head_sha": commit})
        if done is None:
            return Posted("not-sent")
        return Posted("updated" if before else "created", _facts.link(done))


def job_logs(job: Job, access: Access) -> Iterator[JobLog]:
    """The logs of the jobs that failed in the latest attempt of the run."""
    repo = _facts.repository(job)
    path = f"/repos/{repo}/actions/runs/{_facts.run(job)}/jobs"
    with _wire(job, access) as wire:
        found = [
            item
            for page in wire.pages(path, {"filter": "latest"}, 100)
            for item in records(wire, path, inner(wire, path, page, "jobs"))
        ]
    for item in found:
        if item.get("conclusion") in {"failure", "timed_out"} and type(item.get("id")) is int:
            log = f"/repos/{repo}/actions/jobs/{item['id']}/logs"
            chunks = log_chunks(partial(_wire, job, access), log, access)
            yield JobLog(cut(str(item.get("name"))), _facts.link(item), chunks)


def change_of(job: Job, access: Access) -> str | None:
    """The open pull request whose head is exactly the commit; a fork's is found among those changed last."""
    repo, commit = _facts.repository(job), _facts.commit(job)
    asked: list[tuple[str, dict[str, str]]] = [(f"/repos/{repo}/commits/{commit}/pulls", {})]
    if job.branch:
        head = f"{str(job.repository).partition('/')[0]}:{job.branch}"
        asked.append((f"/repos/{repo}/pulls", {"state": "open", "head": head}))
    asked.append((f"/repos/{repo}/pulls", {"state": "open", "sort": "updated", "direction": "desc"}))
    with _wire(job, access) as wire:
        for path, params in asked:
            found = wire.read(path, {**params, "per_page": "100"})
            fitting = _facts.open_pulls(records(wire, path, found), commit)
            if fitting:
                return _facts.chosen(job, fitting)
    return None


def _annotations(reports: Sequence[Report]) -> list[dict[str, object]]:
    """The causes that name a place in the sources of the change, each place once."""
    from triage.reports._places import place_of

    found: dict[tuple[str, int, str], dict[str, object]] = {}
    for incident in (incident for report in reports for incident in report.diagnosis.incidents):
        cause = incident.causes[0] if incident.causes and incident.consequence_of is None else None
        place = place_of(cause) if cause else None
        if cause and place:
            said = [plain(cause.why), *(plain(line.text) for line in cause.evidence[:5])]
            found.setdefault(
                (place.path, place.line, cause.id),
                {
                    "path": place.path,
                    "start_line": place.line,
                    "end_line": place.line,
                    "annotation_level": "warning",
                    "title": cut(f"{incident.tool}: {cause.id}"),
                    "message": "\n".join(said)[:16_000],
                },
            )
    return list(found.values())[:_ANNOTATIONS]


def _check_before(wire: Wire, path: str, name: str, key: str) -> Mapping[str, Any] | None:
    found = wire.read(path, {"check_name": name, "filter": "latest", "per_page": "100"})
    ours = [
        item
        for item in records(wire, path, inner(wire, path, found, "check_runs"))
        if str(item.get("external_id") or "").startswith(f"{key}:") and type(item.get("id")) is int
    ]
    return max(ours, key=lambda item: int(item["id"]), default=None)


def _mine(wire: Wire) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a comment's author is who the token belongs to; asked once, and only where it matters."""
    me: list[Mapping[str, Any] | None] = []
    bots: dict[str, bool] = {}

    def mine(author: Mapping[str, Any]) -> bool:
        if not me:
            me.append(_user(wire))
        if me[0] is not None:
            return author.get("id") == me[0].get("id") and author.get("login") == me[0].get("login")
        login = str(author.get("login"))
        if author.get("type") != "Bot" or not login.endswith("[bot]"):
            return False
        named = os.environ.get("TRIAGE_COMMENT_AUTHOR")
        if named or login == "github-actions[bot]":
            return login.removesuffix("[bot]") == (named or login).removesuffix("[bot]")
        if login not in bots:
            bots[login] = _viewer(wire) == login
        return bots[login]

    return mine


def _user(wire: Wire) -> Mapping[str, Any] | None:
    """Whose the token is; None for the token of an installation, which GitHub does not tell here."""
    try:
        found = wire.read("/user")
    except HostFault as fault:
        if fault.status in {403, 404} and fault.retry_after is None:
            return None
        raise
    if not isinstance(found, Mapping) or type(found.get("id")) is not int or not isinstance(found.get("login"), str):
        raise wire.strange("/user", "the user has no id and login")
    return found


def _viewer(wire: Wire) -> str | None:
    """The name of an app's bot, by GraphQL: the one place that tells an installation who it is."""
    try:
        base = wire.api.removesuffix("/api/v3")
        address = f"{base}/api/graphql" if base != wire.api else f"{base}/graphql"
        found = wire.query(address, {"query": "query{viewer{login}}"})
    except HostFault:
        return None
    login = _facts.deep(found, "data", "viewer", "login") if isinstance(found, Mapping) else None
    return login if isinstance(login, str) else None


@contextmanager
def _wire(job: Job, access: Access) -> Iterator[Wire]:
    api = checked(job.api or _PUBLIC)
    token = token_of(access, TOKENS, "GitHub")
    kit = partial(
        library("githubkit").GitHub,
        base_url=api,
        timeout=access.timeout,
        ssl_verify=trust(),
        follow_redirects=False,
        http_cache=False,
        auto_retry=False,
        user_agent="triage",
    )
    with opened((kit(token) if token else kit()).get_sync_client, library("httpx").InvalidURL) as client:
        yield Wire(api, access._replace(token=token), sender("httpx", client, access), _ADVICE)
