"""GitLab, gitlab.com and self-managed, through python-gitlab.

python-gitlab brings address, sign-in and session; its retries are off, since triage.ci._wire has one policy for all
hosts. The token needs the scope ``api`` and, for a project access token, the role Reporter or more; CI_JOB_TOKEN may
not write notes. API: docs.gitlab.com/api/notes, /jobs, /commits, /users.

There is no check here: the only thing of that kind, a commit status, is a job of a pipeline. Where none fits, GitLab
makes a pipeline of its own for it, also beside a merge request's own pipeline, and its result can let a change be
merged whose build failed (gitlab-org/gitlab issue 300720). No state of it is sure to change nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from triage.ci import _facts
from triage.ci._comments import Comments, Shape
from triage.ci._extra import library
from triage.ci._faults import cut
from triage.ci._message import Access, JobLog, Message, Posted
from triage.ci._thread import keep_one
from triage.ci._transport import bundle, log_chunks, token_of, trust
from triage.ci._wire import Answer, Ask, Broken, Send, Wire, checked, records
from triage.records import Job

if TYPE_CHECKING:
    import requests

TOKENS = ("TRIAGE_GITLAB_TOKEN", "GITLAB_TOKEN", "GL_TOKEN")
LIMIT = 1_000_000
_PUBLIC = "https://gitlab.com/api/v4"
_JOB_TOKEN = " CI_JOB_TOKEN may not write notes: make a project access token with the scope api."  # noqa: S105  # words
_ADVICE = {
    401: "The token is wrong or expired: see TRIAGE_GITLAB_TOKEN, GITLAB_TOKEN, GL_TOKEN. CI_JOB_TOKEN is not enough.",
    403: "The token may not do this: it needs the scope api and the role Reporter or more.",
    404: "The project or the merge request does not exist there, or the token may not see it: "
    "see TRIAGE_REPOSITORY, TRIAGE_CHANGE and CI_API_V4_URL.",
}


def post(message: Message, access: Access) -> Posted:
    """Keeps one note on the merge request."""
    job = message.job
    change = f"{_project(job)}/merge_requests/{_facts.change(job)}"
    with _wire(job, access) as wire:
        shape = Shape(
            path=f"{change}/notes",
            one=lambda note: f"{change}/notes/{note}",
            limit=LIMIT,
            mine=_mine(wire),
            link=partial(_link, wire.api, job),
            author="author",
            edit="PUT",
            size=20,  # notes may have a million characters each
            params={"sort": "asc", "order_by": "created_at"},
        )
        return keep_one(Comments(wire, shape), message)


def job_logs(job: Job, access: Access) -> Iterator[JobLog]:
    """The logs of the failed jobs of the pipeline, those that were allowed to fail last."""
    project = _project(job)
    path = f"{project}/pipelines/{_facts.run(job)}/jobs"
    with _wire(job, access) as wire:
        pages = wire.pages(path, {"scope[]": "failed"}, 100)
        found = [item for page in pages for item in records(wire, path, page)]
    failed = [item for item in found if item.get("status") == "failed" and type(item.get("id")) is int]
    for item in sorted(failed, key=lambda item: item.get("allow_failure") is True):
        chunks = log_chunks(partial(_wire, job, access), f"{project}/jobs/{item['id']}/trace", access)
        yield JobLog(cut(str(item.get("name"))), _facts.link(item, "web_url"), chunks)


def change_of(job: Job, access: Access) -> str | None:
    """The open merge request whose head is exactly the commit."""
    commit = _facts.commit(job)
    path = f"{_project(job)}/repository/commits/{commit}/merge_requests"
    with _wire(job, access) as wire:
        fitting = [
            (str(item["iid"]), str(item.get("target_branch")))
            for page in wire.pages(path, {"state": "opened"}, 100)
            for item in records(wire, path, page)
            if item.get("state") == "opened" and item.get("sha") == commit and type(item.get("iid")) is int
        ]
    return _facts.chosen(job, fitting)


def _project(job: Job) -> str:
    name = job.repository or ""
    if name.isascii() and name.isdigit():
        return f"/projects/{name[:20]}"
    _facts.repository(job, max(2, name.count("/") + 1))
    return f"/projects/{quote(name, safe='')}"


def _link(api: str, job: Job, item: Mapping[str, Any]) -> str | None:
    """The address of a note, which GitLab does not send."""
    name, number = job.repository or "", item.get("id")
    if name.isdigit() or type(number) is not int:
        return None
    return f"{api.removesuffix('/api/v4')}/{quote(name)}/-/merge_requests/{job.change}#note_{number}"


def _mine(wire: Wire) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a note's author is who the token belongs to; asked once, and only where it matters."""
    me: list[int] = []

    def mine(author: Mapping[str, Any]) -> bool:
        if not me:
            found = wire.read("/user")
            if not isinstance(found, Mapping) or type(found.get("id")) is not int:
                raise wire.strange("/user", "the user has no id")
            me.append(found["id"])
        return author.get("id") == me[0]

    return mine


@contextmanager
def _wire(job: Job, access: Access) -> Iterator[Wire]:
    api = checked(job.api or _PUBLIC)
    api = api if api.endswith("/api/v4") else f"{api}/api/v4"
    token = token_of(access, TOKENS, "GitLab", _JOB_TOKEN if os.environ.get("CI_JOB_TOKEN") else "")
    client = library("gitlab").Gitlab(
        api.removesuffix("/api/v4"),
        private_token=token,
        ssl_verify=bundle() or True,
        timeout=access.timeout,
        user_agent="triage",
    )
    _prepare(client.session)
    with client.session:
        yield Wire(api, access._replace(token=token), _sender(client, access), _ADVICE)


class _Answered(Exception):
    """An answer that python-gitlab would follow, wait for or turn into an error of its own."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _prepare(session: requests.Session) -> None:
    from requests.adapters import HTTPAdapter

    context = trust(os.environ.get("CI_SERVER_TLS_CA_FILE"))

    class Trusting(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            return super().proxy_manager_for(proxy, **kwargs, ssl_context=context)

    def seen(response: requests.Response, *_: Any, **__: Any) -> None:
        if response.status_code >= 300:
            raise _Answered(response)

    session.mount("https://", Trusting())
    session.hooks["response"] = [seen]


def _sender(client: Any, access: Access) -> Send:
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    problems = (RequestException, HTTPError, OSError, UnicodeError)

    def send(ask: Ask) -> Answer:
        try:
            response = client.http_request(
                ask.method.lower(),
                ask.path,
                query_data=dict(ask.params),
                post_data=ask.body,
                streamed=True,
                timeout=access.timeout,
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
        except _Answered as answered:
            response = answered.response
        except problems as error:
            raise _broken(error, access.timeout) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, _pieces(response, problems, access.timeout), response.close)

    return send


def _pieces(response: requests.Response, problems: tuple[type[Exception], ...], timeout: float) -> Iterator[bytes]:
    try:
        while chunk := response.raw.read1(64 << 10, decode_content=True):  # what is there; no waiting for more
            yield chunk
    except problems as error:
        raise _broken(error, timeout) from None


def _broken(error: Exception, timeout: float) -> Broken:
    from requests.exceptions import ConnectionError as Unconnected
    from requests.exceptions import ConnectTimeout, InvalidHeader, InvalidSchema, InvalidURL, Timeout

    if isinstance(error, Timeout) or "timed out" in str(error):
        return Broken(f"no answer within {timeout:g} s", passing=not isinstance(error, ConnectTimeout))
    words = re.sub(r"\w+Pool\(|<[^<>]*>|object at 0x\w+", "", str(error)) or type(error).__name__
    if isinstance(error, Unconnected):
        return Broken(f"no connection ({words}). Is the address right, and is HTTPS_PROXY set where it is needed?")
    return Broken(words, passing=not isinstance(error, InvalidURL | InvalidHeader | InvalidSchema))
