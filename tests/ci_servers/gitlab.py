"""GitLab's REST API, version 4 (docs.gitlab.com/api: notes, users, jobs, commits; rest for pagination and errors)."""

# ruff: noqa: ARG002, RUF012, S105  # routes are called with the parts of their path; the token is none

from __future__ import annotations

from ci_servers.base import HostServer, Reply, now


class GitLabServer(HostServer):
    token = "glpat-0123456789abcdefghij"
    prefix = "/api/v4"
    user = {"id": 77, "username": "project_1_bot_abc", "name": "triage", "state": "active", "bot": True}
    routes = [
        ("GET", "/user", "get_user"),
        ("GET", "/projects/{project}/merge_requests/{iid}/notes", "list_notes"),
        ("POST", "/projects/{project}/merge_requests/{iid}/notes", "create_note"),
        ("PUT", "/projects/{project}/merge_requests/{iid}/notes/{note}", "update_note"),
        ("DELETE", "/projects/{project}/merge_requests/{iid}/notes/{note}", "delete_note"),
        ("GET", "/projects/{project}/pipelines/{pipeline}/jobs", "list_jobs"),
        ("GET", "/projects/{project}/jobs/{job}/trace", "trace"),
        ("GET", "/projects/{project}/repository/commits/{sha}/merge_requests", "changes"),
    ]

    def __init__(self, prefix="/api/v4", tls=None):
        self.prefix = prefix
        super().__init__(tls)
        self.comments = []
        self.changes_of = []
        self.jobs = []

    def authorised(self, request):
        return request.headers.get("private-token") == self.token

    def denied(self):
        return Reply(401, {"message": "401 Unauthorized"})

    def unknown(self):
        return Reply(404, {"error": "404 Not Found"})

    def add_comment(self, body, user=None, issue="5"):
        note = {
            "id": 300 + len(self.comments), "type": None, "body": body, "attachment": None,
            "author": user or self.user, "created_at": now(), "updated_at": now(), "system": False,
            "noteable_id": 1, "noteable_type": "MergeRequest", "noteable_iid": int(issue), "resolvable": False,
        }  # fmt: skip
        self.comments.append(note)
        return note

    def add_change(self, iid, sha, target="main", state="opened"):
        self.changes_of.append({"iid": iid, "id": 1000 + iid, "sha": sha, "state": state, "target_branch": target})

    def add_job(self, name, status="failed", log=b"", run=77, allow_failure=False):
        number = 9000 + len(self.jobs)
        url = f"{self.origin}/group/models/-/jobs/{number}"
        job = {"id": number, "name": name, "status": status, "allow_failure": allow_failure, "web_url": url}
        self.jobs.append(({**job, "pipeline": {"id": run}}, log))
        return number

    def get_user(self, request):
        return Reply(200, self.user)

    def list_notes(self, request, project, iid):
        found = [note for note in self.comments if str(note["noteable_iid"]) == iid]
        if request.query.get("sort", "desc") == "desc":
            found.reverse()
        return self.paged(request, found, default=20)

    def create_note(self, request, project, iid):
        if len(request.json["body"]) > 1_000_000:
            return Reply(400, {"message": {"note": ["is too long (maximum is 1000000 characters)"]}})
        return Reply(201, self.add_comment(request.json["body"], issue=iid))

    def delete_note(self, request, project, iid, note):
        self.comments[:] = [one for one in self.comments if str(one["id"]) != note]
        return Reply(204, None)

    def update_note(self, request, project, iid, note):
        found = next(one for one in self.comments if str(one["id"]) == note)
        found.update(body=request.json["body"], updated_at=now())
        return Reply(200, found)

    def list_jobs(self, request, project, pipeline):
        scope = request.query.get("scope[]")
        found = [job for job, _ in self.jobs if str(job["pipeline"]["id"]) == pipeline]
        return self.paged(request, [job for job in found if scope in (None, job["status"])], default=20)

    def trace(self, request, project, job):
        return Reply(200, next(log for one, log in self.jobs if str(one["id"]) == job))

    def changes(self, request, project, sha):
        state = request.query.get("state", "all")
        return self.paged(request, [one for one in self.changes_of if state in ("all", one["state"])], default=20)
