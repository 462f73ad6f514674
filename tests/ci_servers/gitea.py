"""Gitea's and Forgejo's REST API, version 1 (docs.gitea.com/api: issue, repository, user).

The comments of an issue come all at once: that list knows no pages.
"""

# ruff: noqa: ARG002, RUF012  # routes are called with the parts of their path; the token is none

from __future__ import annotations

from ci_servers.base import HostServer, Reply, now


class GiteaServer(HostServer):
    """``forgejo``: there are no logs of jobs. ``actor``: the token is a job's own."""

    prefix = "/api/v1"
    routes = [
        ("GET", "/user", "get_user"),
        ("GET", "/repos/{owner}/{repo}/issues/{index}/comments", "list_comments"),
        ("POST", "/repos/{owner}/{repo}/issues/{index}/comments", "create_comment"),
        ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment}", "update_comment"),
        ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment}", "delete_comment"),
        ("GET", "/repos/{owner}/{repo}/statuses/{sha}", "list_statuses"),
        ("POST", "/repos/{owner}/{repo}/statuses/{sha}", "create_status"),
        ("GET", "/repos/{owner}/{repo}/pulls", "list_pulls"),
        ("GET", "/repos/{owner}/{repo}/actions/runs/{run}/jobs", "list_jobs"),
        ("GET", "/repos/{owner}/{repo}/actions/jobs/{job}/logs", "job_log"),
    ]

    def __init__(self, actor=False, forgejo=False, tls=None):
        super().__init__(tls)
        self.actor = actor
        self.forgejo = forgejo
        self.user = {"id": -2, "login": "gitea-actions"} if actor else {"id": 41, "login": "triage-bot"}
        self.comments = []
        self.statuses = []
        self.pulls = []
        self.jobs = []

    def denied(self):
        return Reply(401, {"message": "invalid username, password or token", "url": f"{self.origin}/api/swagger"})

    def unknown(self):
        return Reply(404, {"message": "not found", "url": f"{self.origin}/api/swagger", "errors": []})

    def add_comment(self, body, user=None, issue="5"):
        number = 700 + len(self.comments)
        comment = {
            "id": number, "body": body, "user": user or self.user, "created_at": now(), "updated_at": now(),
            "html_url": f"{self.origin}/octo/models/pulls/{issue}#issuecomment-{number}", "issue_url": "",
            "pull_request_url": f"{self.origin}/octo/models/pulls/{issue}", "original_author": "", "assets": [],
        }  # fmt: skip
        self.comments.append(comment)
        return comment

    def add_pull(self, number, sha, base="main", state="open"):
        self.pulls.append({"number": number, "state": state, "head": {"sha": sha}, "base": {"ref": base}})

    def add_job(self, name, conclusion="failure", log=b"", run=77):
        number = 9000 + len(self.jobs)
        job = {"id": number, "run_id": run, "name": name, "status": "completed", "conclusion": conclusion}
        self.jobs.append(({**job, "html_url": f"{self.origin}/octo/models/actions/runs/{run}/jobs/0"}, log))
        return number

    def get_user(self, request):
        return (
            Reply(403, {"message": "token does not have at least one of required scope(s)"})
            if self.actor
            else Reply(200, self.user)
        )

    def list_comments(self, request, owner, repo, index):
        return Reply(200, [one for one in self.comments if one["html_url"].split("#")[0].endswith(f"/pulls/{index}")])

    def create_comment(self, request, owner, repo, index):
        return Reply(201, self.add_comment(request.json["body"], issue=index))

    def delete_comment(self, request, owner, repo, comment):
        self.comments[:] = [one for one in self.comments if str(one["id"]) != comment]
        return Reply(204, None)

    def update_comment(self, request, owner, repo, comment):
        found = next(one for one in self.comments if str(one["id"]) == comment)
        found.update(body=request.json["body"], updated_at=now())
        return Reply(200, found)

    def list_statuses(self, request, owner, repo, sha):
        return self.paged(request, [one for one in self.statuses[::-1] if one["sha"] == sha], "limit")

    def create_status(self, request, owner, repo, sha):
        given = request.json
        if given["state"] not in {"pending", "success", "error", "failure", "warning", "skipped"}:
            return Reply(400, {"message": "bad state"})
        status = {"id": 1 + len(self.statuses), "status": given["state"], "sha": sha, "creator": self.user}
        self.statuses.append(status | {name: given[name] for name in ("context", "description", "target_url")})
        return Reply(201, self.statuses[-1])

    def list_pulls(self, request, owner, repo):
        return self.paged(request, [one for one in self.pulls if one["state"] == request.query["state"]], "limit")

    def list_jobs(self, request, owner, repo, run):
        if self.forgejo:
            return self.unknown()
        return self.paged(request, [job for job, _ in self.jobs if str(job["run_id"]) == run], "limit", wrap="jobs")

    def job_log(self, request, owner, repo, job):
        return Reply(200, next(log for one, log in self.jobs if str(one["id"]) == job))
