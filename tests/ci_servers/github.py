"""GitHub's REST API (docs.github.com/rest: issue comments, check runs, pull requests, workflow jobs).

Every request and every answer is held against GitHub's published OpenAPI (fixtures/schemas/github-openapi.json).
"""

# ruff: noqa: ARG002, RUF012, S105, PLR0911  # routes are called with the parts of their path; the token is none

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

from ci_servers.base import HostServer, Reply, now

SLICE = json.loads((Path(__file__).parents[2] / "fixtures/schemas/github-openapi.json").read_text("utf-8"))
MOMENT = "2026-01-02T03:04:05Z"


def sample(schema):
    """The least that a schema allows, so that a test names only what matters to it."""
    if "$ref" in schema:
        return sample(SLICE["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return None if {"type": "null"} in schema[several] else sample(schema[several][0])
    if "allOf" in schema:
        return {name: value for part in schema["allOf"] for name, value in sample(part).items()}
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        names = schema.get("required", ())
        return {name: sample(schema["properties"][name]) for name in names}
    if kind == "string":
        return {"date-time": MOMENT, "uri": "https://github.example/x"}.get(schema.get("format", ""), "x")
    return {"array": [], "integer": 1, "number": 1.0, "boolean": False}[kind]


def named(component, /, **values):
    return sample({"$ref": f"#/components/schemas/{component}"}) | values


@cache
def validator(text):
    return Draft202012Validator({"components": SLICE["components"], **json.loads(text)})


def faults_of(schema, value):
    return [error.message[:300] for error in validator(json.dumps(schema)).iter_errors(value)]


class GitHubServer(HostServer):
    """``installation``: the token is a job's GITHUB_TOKEN, which may not ask who it is."""

    token = "ghs_0123456789abcdefghijABCDEFGHIJ012345"
    routes = [
        ("GET", "/user", "get_user"),
        ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "list_comments"),
        ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "create_comment"),
        ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", "update_comment"),
        ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", "delete_comment"),
        ("POST", "/repos/{owner}/{repo}/check-runs", "create_check"),
        ("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "update_check"),
        ("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "list_checks"),
        ("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pulls_of_commit"),
        ("GET", "/repos/{owner}/{repo}/pulls", "list_pulls"),
        ("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", "list_jobs"),
        ("GET", "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", "job_log"),
        ("POST", "/graphql", "graphql"),
    ]

    def __init__(self, installation=True, prefix="", tls=None):
        self.prefix = prefix
        super().__init__(tls)
        self.installation = installation
        login = "github-actions[bot]" if installation else "octocat"
        self.user = self.person(login, 41898282 if installation else 583231, "Bot" if installation else "User")
        self.comments = []  # of all pull requests, the oldest first; ``issue`` is ours and not sent
        self.checks = []
        self.pulls = []
        self.fork_commits = set()  # those for which the list of a commit's pull requests is empty
        self.jobs = []
        self.log_place = None  # where logs lie: an address to which the server sends

    @staticmethod
    def person(login, number, kind="User"):
        return named("simple-user", login=login, id=number, type=kind)

    def add_comment(self, body, user=None, issue="5"):
        number = 1000 + len(self.comments)
        comment = named(
            "issue-comment",
            id=number,
            body=body,
            user=user or self.user,
            html_url=f"{self.origin}/octo/models/pull/{issue}#issuecomment-{number}",
            created_at=now(),
            updated_at=now(),
        )
        self.comments.append({"issue": issue, **comment})
        return comment

    def add_pull(self, number, sha, ref="feature", owner="octo", base="main", state="open"):
        pull = named("pull-request-simple", number=number, state=state)
        head = named("simple-user", login=owner)
        pull["head"] = {**pull["head"], "sha": sha, "ref": ref, "label": f"{owner}:{ref}", "user": head}
        pull["base"] = {**pull["base"], "ref": base}
        self.pulls.append(pull)

    def add_job(self, name, conclusion="failure", log=b"", run=77):
        number = 9000 + len(self.jobs)
        url = f"{self.origin}/octo/models/actions/runs/{run}/job/{number}"
        job = named("job", id=number, run_id=run, name=name, status="completed", conclusion=conclusion, html_url=url)
        self.jobs.append((job, log))
        return number

    def check_request(self, request, path, method):
        if path == "/graphql":
            return
        described = SLICE["paths"][path][method.lower()]
        known = {one["name"]: one["schema"] for one in described["parameters"] if one["in"] == "query"}
        for name, value in request.query.items():
            wanted = known.get(name, {"not": {}})
            given = int(value) if wanted.get("type") == "integer" and value.isdigit() else value
            self.violations += [f"{method} {path} ?{name}: {fault}" for fault in faults_of(wanted, given)]
        if described["body"]:
            self.violations += [f"{method} {path}: {fault}" for fault in faults_of(described["body"], request.json)]

    def check_reply(self, request, path, method, reply):
        if path == "/graphql":
            return
        described = SLICE["paths"][path][method.lower()]["responses"]
        schema = described.get(str(reply.status))
        if str(reply.status) not in described:
            self.violations.append(f"{method} {path}: {reply.status} is no documented answer")
        elif schema and not isinstance(reply.body, bytes):
            faults = faults_of(schema, json.loads(json.dumps(reply.body)))
            self.violations += [f"{method} {path} -> {reply.status}: {fault}" for fault in faults]

    def get_user(self, request):
        if self.installation:
            words = "Resource not accessible by integration"
            return Reply(403, {"message": words, "documentation_url": "https://docs.github.com/rest", "status": "403"})
        return Reply(200, named("public-user", login=self.user["login"], id=self.user["id"]))

    def graphql(self, request):
        return Reply(200, {"data": {"viewer": {"login": self.user["login"]}}})

    def list_comments(self, request, owner, repo, issue_number):
        mine = [self._shown(comment) for comment in self.comments if comment["issue"] == issue_number]
        return self.paged(request, mine)

    @staticmethod
    def _shown(comment):
        return {name: value for name, value in comment.items() if name != "issue"}

    def create_comment(self, request, owner, repo, issue_number):
        if len(request.json["body"]) > 65_536:
            return self._too_long()
        return Reply(201, self.add_comment(request.json["body"], issue=issue_number))

    def delete_comment(self, request, owner, repo, comment_id):
        self.comments[:] = [one for one in self.comments if str(one["id"]) != comment_id]
        return Reply(204, None)

    def update_comment(self, request, owner, repo, comment_id):
        if len(request.json["body"]) > 65_536:
            return self._too_long()
        comment = next(comment for comment in self.comments if str(comment["id"]) == comment_id)
        comment.update(body=request.json["body"], updated_at=now())
        return Reply(200, self._shown(comment))

    @staticmethod
    def _too_long():
        words = "body is too long (maximum is 65536 characters)"
        error = {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": words}
        body = {"message": "Validation Failed", "errors": [error], "documentation_url": "https://docs.github.com"}
        return Reply(422, body)

    def _check(self, number, given):
        output = given.get("output", {})
        shown = named("check-run", id=number, name=given["name"], head_sha=given["head_sha"], status=given["status"])
        shown["output"] = {
            "title": output.get("title"), "summary": output.get("summary"), "text": None,
            "annotations_count": len(output.get("annotations", ())), "annotations_url": "https://github.example/a",
        }  # fmt: skip
        link = f"{self.origin}/octo/models/runs/{number}"
        return shown | {"conclusion": given["conclusion"], "external_id": given["external_id"], "html_url": link}

    def create_check(self, request, owner, repo):
        self.checks.append(self._check(5000 + len(self.checks), request.json))
        return Reply(201, self.checks[-1])

    def update_check(self, request, owner, repo, check_run_id):
        at = next(n for n, check in enumerate(self.checks) if str(check["id"]) == check_run_id)
        self.checks[at] = self._check(int(check_run_id), {**self.checks[at], **request.json})
        return Reply(200, self.checks[at])

    def list_checks(self, request, owner, repo, ref):
        name = request.query.get("check_name")
        found = [check for check in self.checks if check["head_sha"] == ref and name in (None, check["name"])]
        return self.paged(request, found, wrap="check_runs")

    def pulls_of_commit(self, request, owner, repo, commit_sha):
        if commit_sha in self.fork_commits:
            return Reply(200, [])
        return Reply(200, [pull for pull in self.pulls if pull["head"]["sha"] == commit_sha])

    def list_pulls(self, request, owner, repo):
        state, head = request.query.get("state", "open"), request.query.get("head")
        found = [pull for pull in self.pulls if state in ("all", pull["state"])]
        return self.paged(request, [pull for pull in found if head in (None, pull["head"]["label"])])

    def list_jobs(self, request, owner, repo, run_id):
        return self.paged(request, [job for job, _ in self.jobs if str(job["run_id"]) == run_id], wrap="jobs")

    def job_log(self, request, owner, repo, job_id):
        return Reply(302, b"", {"Location": f"{self.log_place}/logs/{job_id}.txt?sig=very-secret"})
