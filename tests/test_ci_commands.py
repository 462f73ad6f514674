"""``triage ci`` as a build calls it, against servers that speak the hosts' APIs."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ci_servers import GiteaServer, GitHubServer, GitLabServer, PlainServer, WebhookServer
from ci_servers.world import SHA
from support import FIXTURES, PROFILE_MISSING

from triage.ci._marker import marker_of
from triage.service.handover import NAME

DTYPE = str(FIXTURES / "ort-input-dtype-double" / "log.txt")
CLEARED = (
    "GITHUB_",
    "GITLAB_",
    "CI",
    "GITEA_",
    "FORGEJO_",
    "JENKINS_",
    "BUILDKITE",
    "RUNNER_",
    "TRIAGE_",
    "GH_",
    "GL_",
)


class Site:
    """A job of one CI system whose code host is a server of ours."""

    def __init__(self, kind, tmp_path, server, logs):
        self.kind, self.server, self.folder, self.logs = kind, server, tmp_path, logs
        self.run_id = 100
        self.log = tmp_path / "build.log"
        self.log.write_text(PROFILE_MISSING + "\n", encoding="utf-8")
        self.extra = {}

    def environ(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(CLEARED)}
        places = {"TRIAGE_DATA_DIR": str(self.folder / "data"), "TRIAGE_CACHE_DIR": os.environ["TRIAGE_CACHE_DIR"]}
        return kept | places | getattr(self, f"_{self.kind}")() | {"NO_PROXY": "127.0.0.1"} | self.extra

    def _actions(self):
        event = self.folder / "event.json"
        pull = {"number": 5, "head": {"sha": SHA, "ref": "feature", "repo": {"full_name": "octo/models"}},
                "base": {"ref": "main"}}  # fmt: skip
        event.write_text(json.dumps({"pull_request": pull, "repository": {"default_branch": "main"}}), encoding="utf-8")
        return {
            "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/models", "GITHUB_API_URL": self.server.url,
            "GITHUB_SERVER_URL": "https://example.org", "GITHUB_WORKFLOW": "ci", "GITHUB_JOB": "engine",
            "GITHUB_RUN_ID": str(self.run_id), "GITHUB_RUN_NUMBER": str(self.run_id), "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event), "GITHUB_SHA": "e" * 40,
            "GITHUB_REF": "refs/pull/5/merge", "GITHUB_TOKEN": self.server.token,
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"), "GITHUB_OUTPUT": str(self.folder / "outputs"),
        }  # fmt: skip

    def _github(self):
        return self._actions()

    def _gitea(self):
        return self._actions() | {"GITEA_ACTIONS": "true"}

    def _gitlab(self):
        return {
            "GITLAB_CI": "true", "CI": "true", "CI_API_V4_URL": self.server.url, "CI_PROJECT_PATH": "group/sub/models",
            "CI_MERGE_REQUEST_IID": "5", "CI_COMMIT_SHA": SHA, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_DEFAULT_BRANCH": "main", "CI_JOB_NAME": "engine",
            "CI_PIPELINE_ID": str(self.run_id), "CI_JOB_ID": "7", "CI_JOB_URL": "https://example.org/-/jobs/7",
            "CI_PIPELINE_SOURCE": "merge_request_event", "TRIAGE_GITLAB_TOKEN": self.server.token,
        }  # fmt: skip

    def _buildkite(self):
        return {
            "BUILDKITE": "true", "BUILDKITE_REPO": "git@github.com:octo/models.git", "BUILDKITE_PULL_REQUEST": "5",
            "BUILDKITE_COMMIT": SHA, "BUILDKITE_BRANCH": "feature", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main",
            "BUILDKITE_BUILD_ID": "0198-cd", "BUILDKITE_BUILD_NUMBER": "100", "BUILDKITE_JOB_ID": "0199-ab",
            "BUILDKITE_PIPELINE_SLUG": "models", "BUILDKITE_LABEL": "engine",
            "BUILDKITE_BUILD_URL": "https://buildkite.com/octo/models/builds/100",
        }  # fmt: skip

    def __call__(self, *words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "triage", "ci", *map(str, words)],
            capture_output=True, text=True, check=False, env=self.environ(), cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        self.run_id += 1
        return done

    def keep_job(self, name, log, run):
        """A failed job of a run, with a log that the host keeps; GitHub keeps logs elsewhere."""
        number = self.server.add_job(name, log=log, run=run)
        if self.kind == "github":
            self.server.log_place = self.logs.origin
            self.logs.files[f"/logs/{number}.txt"] = log

    def bodies(self):
        return [comment["body"] for comment in self.server.comments]


SERVERS = {"github": GitHubServer, "gitlab": GitLabServer, "gitea": GiteaServer}


@pytest.fixture(params=SERVERS)
def site(request, tmp_path):
    with SERVERS[request.param]() as server, PlainServer() as logs:
        yield Site(request.param, tmp_path, server, logs)


@pytest.fixture
def github(tmp_path):
    with GitHubServer() as server, PlainServer() as logs:
        yield Site("github", tmp_path, server, logs)


def test_one_comment_follows_the_build(site):
    site("wrap", "--comment", "--", "sh", "-c", f"cat {site.log}; exit 7", code=7)
    assert [marker_of(body).failing for body in site.bodies()] == [True]
    assert "profile-missing" in site.bodies()[0]
    writes = len(site.server.writes)
    site("wrap", "--comment", "--", "sh", "-c", f"cat {site.log}; exit 7", code=7)
    assert len(site.server.writes) == writes
    site("wrap", "--comment", "--", "sh", "-c", f"cat {DTYPE}; exit 1", code=1)
    assert len(site.bodies()) == 1
    assert "input-dtype-mismatch" in site.bodies()[0]
    site("wrap", "--comment", "--", "true")
    assert "### Resolved" in site.bodies()[0]
    writes = len(site.server.writes)
    site("wrap", "--comment", "--", "true")
    assert (len(site.bodies()), len(site.server.writes)) == (1, writes)


FAULTS = {
    "unauthorised": {"status": 401, "body": {"message": "Bad credentials"}},
    "forbidden": {"status": 403, "body": {"message": "Resource not accessible by integration"}},
    "not found": {"status": 404, "body": {"message": "Not Found"}},
    "invalid": {"status": 422, "body": {"message": "Validation Failed"}},
    "throttled": {"status": 429, "headers": {"Retry-After": "600"}},
    "broken": {"status": 502, "body": b"<html>Bad Gateway</html>"},
    "cut off": {"status": 200, "body": b'[{"id": 1, "body": "xxxxxxxxxxxxxxxx', "cut": 20},
    "no JSON": {"status": 200, "body": b"<html>"},
    "wrong shape": {"status": 200, "body": {"a": 1}},
    "silent": {"hang": 8.0},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_host_never_fails_the_build_and_the_next_rung_speaks(github, fault):
    for method in ("GET", "POST", "PATCH"):
        github.server.fail(method, "", times=50, **FAULTS[fault])
    done = github("wrap", "--comment", "--timeout", "0.5", "--patience", "1", "--", "sh", "-c",
                  f"cat {github.log}; exit 7", code=7)  # fmt: skip
    assert github.bodies() == []
    assert "triage: comment:" in done.stderr
    assert github.server.token not in done.stdout + done.stderr
    assert "::error " in done.stdout
    assert "profile-missing" in (github.folder / "summary.md").read_text()


def test_where_no_comment_may_be_written_a_check_is(github):
    github.server.fail("POST", "/comments", 403, body={"message": "Resource not accessible by integration"}, times=9)
    done = github("comment", github.log)
    assert [check["name"] for check in github.server.checks] == ["triage: ci / engine"]
    assert "check: created" in done.stderr.replace("commented", "created")


def test_a_stranger_s_comment_with_our_marker_is_left_alone(github):
    github("comment", github.log)
    mine = github.server.comments.pop()
    forged = github.server.add_comment(mine["body"], user=github.server.person("mallory", 666))
    github("comment", DTYPE)
    assert forged["body"] == mine["body"]
    assert len(github.server.comments) == 2


def test_a_dry_run_prints_every_request_and_writes_nothing(site):
    done = site("comment", "--dry-run", site.log)
    assert site.server.writes == []
    assert "POST http" in done.stdout
    assert "profile-missing" in done.stdout
    assert site.server.token not in done.stdout + done.stderr


def test_outputs_for_other_steps(github):
    github("report", "--out", "left", github.log)
    lines = (github.folder / "outputs").read_text().split("\n")
    pairs = dict(zip((line.partition("<<")[0] for line in lines if "<<" in line), lines[1::3], strict=True))
    assert pairs["cause"] == "profile-missing"
    assert (pairs["category"], pairs["verdict"], pairs["fix"]) == ("build", "named", "rebuild_profiles")
    assert pairs["report-url"].startswith("https://example.org/octo/models/actions/runs/100")
    variables = (github.folder / "left" / "triage.env").read_text()
    assert "TRIAGE_CAUSE=profile-missing\n" in variables


def test_the_folder_holds_every_report(github):
    github("report", "--out", "left", github.log)
    names = set(os.listdir(github.folder / "left"))
    assert names >= {NAME, "triage.env", "comment.md", "report.html", "triage.sarif", "junit.xml", "report.json"}


def test_of_several_logs_the_one_that_says_why_stands_first(github):
    late = github.folder / "a-late.log"
    late.write_text("FileNotFoundError: [Errno 2] No such file or directory: 'engine.plan'\n", encoding="utf-8")
    done = github("report", late, github.log)
    assert done.stdout.index("profile-missing") < done.stdout.index("model-file-missing")


def test_a_job_that_passed_raises_no_alarm_whatever_its_logs_say(github):
    done = github("report", "--status", "success", "--comment", github.log)
    assert github.bodies() == []
    assert "::error" not in done.stdout


def test_a_failed_job_whose_logs_show_no_failure_is_not_called_resolved(github):
    github.log.write_text("all good\n", encoding="utf-8")
    with WebhookServer() as hook:
        github.extra = {"TRIAGE_WEBHOOK_URL": hook.url + "/in", "TRIAGE_WEBHOOK_SECRET": "whsec_" + "QUJD" * 8}
        done = github("report", "--status", "failure", "--comment", "--out", "left", github.log)
        assert hook.requests == []
    assert github.bodies() == []
    assert "its logs show no failure" in done.stderr
    assert not (github.folder / "summary.md").exists()
    assert not (github.folder / "left" / "comment.md").exists()


def test_a_cancelled_job_says_nothing(github):
    github("report", "--status", "cancelled", "--comment", github.log)
    assert github.bodies() == []


def test_fail_on_asks_for_an_exit_code(github):
    github("report", "--fail-on", "failure", github.log, code=1)
    github("report", "--fail-on", "failure", "--status", "success", github.log)


AGENT = """#!/bin/sh
echo "$@" > "$0.words"
cat > "$0.text"
"""


def test_buildkite_gets_an_annotation_of_its_own(github):
    agent = github.folder / "bin" / "buildkite-agent"
    agent.parent.mkdir()
    agent.write_text(AGENT, encoding="utf-8")
    agent.chmod(0o755)
    github.kind = "buildkite"
    github.extra = {"PATH": f"{agent.parent}:{os.environ['PATH']}"}
    github("wrap", "--", "sh", "-c", f"cat {github.log}; exit 7", code=7)
    words = Path(f"{agent}.words").read_text().split()
    assert words == ["annotate", "--style", "error", "--context", "triage-0199-ab"]
    assert Path(f"{agent}.text").read_text().startswith("### Named: profile-missing")


# --- two stages


def in_trusted_stage(site, **changes):
    """The environment of a workflow that GitHub starts when the run has ended."""
    run = {"id": 100, "run_attempt": 1, "head_sha": SHA, "head_branch": "feature", "conclusion": "failure",
           "name": "ci",
           "html_url": "https://example.org/octo/models/actions/runs/100", "pull_requests": []} | changes  # fmt: skip
    event = site.folder / "trusted.json"
    event.write_text(json.dumps({"workflow_run": run, "repository": {"default_branch": "main"}}), encoding="utf-8")
    site.extra = {"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(event), "GITHUB_RUN_ID": "900"}


def test_an_untrusted_stage_reports_and_a_trusted_one_comments(github):
    github("wrap", "--out", "left", "--", "sh", "-c", f"cat {github.log}; exit 3", code=3)
    assert github.server.requests == []
    github.server.add_pull(5, SHA)
    in_trusted_stage(github)
    github("comment", "--report", "left")
    assert len(github.bodies()) == 1
    assert marker_of(github.bodies()[0]).run == 100


@pytest.mark.parametrize("other", [{"id": 101}, {"head_sha": "d" * 40}])
def test_a_report_of_another_run_or_head_is_not_posted(github, other):
    github("wrap", "--out", "left", "--", "sh", "-c", f"cat {github.log}; exit 3", code=3)
    github.server.add_pull(5, SHA)
    in_trusted_stage(github, **other)
    done = github("comment", "--report", "left", code=2)
    assert github.server.requests == []
    assert "Not posted" in done.stderr


def test_a_hostile_report_can_say_nothing_but_text(github):
    github("wrap", "--out", "left", "--", "sh", "-c", f"cat {github.log}; exit 3", code=3)
    path = github.folder / "left" / NAME
    body = json.loads(path.read_text())
    cause = body["reports"][0]["incidents"][0]["causes"][0]
    cause["why"] = cause["evidence"][0]["text"] = (
        "<!-- triage:1 --> @everyone #1 <script>x</script> </details>\n::set-output name=a::b\n/close\n```"
    )
    body["job"]["name"] = "`@everyone`\n::error::x"
    path.write_text(json.dumps(body), encoding="utf-8")
    github.server.add_pull(5, SHA)
    github.server.fail("POST", "/comments", 403, body={"message": "no"})
    in_trusted_stage(github)
    done = github("comment", "--report", "left")
    github("comment", "--report", "left")
    (text,) = github.bodies()
    outside = "\n".join(line for line in text.split("\n")[1:] if not line.startswith("    "))
    assert not {"@everyone", "<script>", "<!--", "/close\n"} & {
        part for part in ("@everyone", "<script>", "<!--") if part in outside
    }
    assert "\n/close" not in outside
    assert not [line for line in done.stdout.split("\n") if line.lstrip().startswith(("::set-output", "::stop"))]


def test_a_run_that_passed_resolves_the_comment(github):
    github.server.add_pull(5, SHA)
    github.keep_job("ci", PROFILE_MISSING.encode() + b"\n", 100)
    in_trusted_stage(github)
    github("comment", "--run", "100")
    assert marker_of(github.bodies()[0]).failing
    in_trusted_stage(github, conclusion="success", id=101)
    github("comment", "--run", "101")
    assert not marker_of(github.bodies()[0]).failing
    with sqlite3.connect(github.folder / "data" / "archive.db") as archive:
        assert archive.execute("SELECT outcome, job FROM builds ORDER BY id").fetchall() == [
            ("failed", "ci"),
            ("passed", "ci"),
        ]


def test_the_failed_jobs_of_a_run_share_one_comment(site):
    site.keep_job("engine", PROFILE_MISSING.encode() + b"\n", 77)
    site.keep_job("runtime", Path(DTYPE).read_bytes(), 77)
    site("comment", "--run", "77")
    assert len(site.bodies()) == 1
    assert {"profile-missing", "input-dtype-mismatch"} <= set(
        site.bodies()[0].replace(",", " ").replace(":", " ").split()
    )


def test_logs_that_cannot_be_fetched_are_a_remark(github):
    github.server.fail("GET", "/jobs", 403, body={"message": "Must have admin rights"}, times=5)
    done = github("comment", "--run", "77")
    assert "403" in done.stderr


# --- elsewhere


def test_a_webhook_is_told_with_a_signature(github):
    from standardwebhooks import Webhook

    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    with WebhookServer() as hook:
        github.extra = {"TRIAGE_WEBHOOK_URL": hook.url + "/in", "TRIAGE_WEBHOOK_SECRET": secret}
        github("report", github.log)
        (request,) = hook.requests
        told = Webhook(secret).verify(request.body, dict(request.headers))
    assert told["type"] == "triage.failure"
    assert told["data"]["reports"][0]["incidents"][0]["causes"][0]["id"] == "profile-missing"


def test_the_build_does_not_see_what_lets_triage_write(site):
    site.extra = {"TRIAGE_WEBHOOK_SECRET": "whsec_x", "TRIAGE_INPUT_RUN": "x", "TRIAGE_GITHUB_TOKEN": "x"}
    done = site("wrap", "--", "sh", "-c", "env | grep ^TRIAGE_ | sed 's/=.*//' | sort")
    assert done.stdout.split() == ["TRIAGE_CACHE_DIR", "TRIAGE_DATA_DIR"]


def test_a_report_that_breaks_leaves_the_exit_code_of_the_build(github):
    (github.folder / "left").write_text("a file where the folder should be", encoding="utf-8")
    done = github("wrap", "--out", "left", "--", "sh", "-c", f"cat {github.log}; exit 7", code=7)
    assert "left cannot be made" in done.stderr


def test_what_is_missing_is_said(github):
    assert "name what to comment on" in github("comment", code=2).stderr
    assert "name the logs" in github("report", code=2).stderr
    assert "name the build" in github("wrap", code=2).stderr
    assert "nowhere.log" in github("report", "nowhere.log", code=2).stderr
    for wrong in ("-1", "0", "soon", "nan"):
        assert "--timeout" in github("comment", f"--timeout={wrong}", github.log, code=2).stderr
