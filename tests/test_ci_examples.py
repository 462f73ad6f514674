"""Every file for a CI system is valid, and is run as its host would run it, against servers that speak its API."""

import json
import re
from importlib import resources
from urllib.parse import quote

import pytest
import yaml
from ci_jobs import SHA, buildkite_env, gitlab_env, jenkins_env, on_main, pull_request, workflow_run
from ci_runner import ACTION, Machine, component, gitlab_script, jenkins_steps
from ci_servers import GiteaServer, GitHubServer, GitLabServer, PlainServer
from jsonschema import validators
from support import FIXTURES, REPO

EXAMPLES = REPO / "examples"
WORKFLOWS = sorted([*EXAMPLES.glob("github/*.yml"), *EXAMPLES.glob("gitea/*.yml")])
OTHER = "env-pip-conflict"
FIRST_CAUSE, OTHER_CAUSE = "profile-missing", "python-dependency-conflict"


@pytest.fixture
def machine(tmp_path, sqlite_template):
    return Machine(tmp_path / "machine", sqlite_template)


@pytest.fixture
def github():
    with GitHubServer() as host:
        host.add_pull(5, SHA)
        yield host


def schema(name):
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    found = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return validators.validator_for(found)(found)


def faults(name, value):
    return [error.message[:200] for error in schema(name).iter_errors(value)]


def actions_keys(path):
    """YAML as the runner reads it: ``on`` is a word."""
    found = yaml.safe_load(path.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in found.items()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_workflows_fit_the_schema(path):
    assert faults("github-workflows", actions_keys(path)) == []


def test_other_files_fit_their_schemas():
    jobs = component(REPO / "templates/triage/template.yml", {"package": "triage[ci]"})
    assert faults("github-actions", actions_keys(REPO / "action.yml")) == []
    assert faults("gitlab-ci", yaml.safe_load((EXAMPLES / "gitlab/.gitlab-ci.yml").read_text("utf-8"))) == []
    assert faults("gitlab-ci", jobs) == []
    assert faults("buildkite", yaml.safe_load((EXAMPLES / "buildkite/pipeline.yml").read_text("utf-8"))) == []


def test_schemas_refuse_what_is_wrong():
    assert faults("github-workflows", {"on": "push", "jobs": {"a": {"steps": []}}})
    assert faults("gitlab-ci", {"a": {"script": 5}})


@pytest.mark.parametrize("path", [REPO / "action.yml", *WORKFLOWS], ids=lambda path: path.name)
def test_actions_are_pinned(path):
    lines = [line for line in path.read_text("utf-8").splitlines() if re.search(r"\buses:", line)]
    assert lines or path.parent.name == "gitea"
    for line in lines:
        pinned = re.search(r"uses: actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
        assert pinned or line.endswith(f"uses: {ACTION}DIGEST"), line


def test_one_comment_through_the_life_of_a_change(machine, github):
    ci = EXAMPLES / "github/ci.yml"
    first = pull_request(machine, github).job(ci, "engine")
    assert first.status == "failure"
    assert "::error" in first.log
    assert FIRST_CAUSE in first.summary
    assert len(github.comments) == 1
    assert FIRST_CAUSE in github.comments[0]["body"]
    assert "CI / engine" in github.comments[0]["body"]
    assert github.token not in (machine.shims / "build.env").read_text()
    assert github.token not in first.log

    written = len(github.writes)
    assert pull_request(machine, github, "78").job(ci, "engine").status == "failure"
    assert len(github.writes) == written

    machine.builds(OTHER)
    assert pull_request(machine, github, "79").job(ci, "engine").status == "failure"
    assert len(github.comments) == 1
    assert OTHER_CAUSE in github.comments[0]["body"]

    machine.builds(None)
    assert pull_request(machine, github, "80").job(ci, "engine").status == "success"
    assert len(github.comments) == 1
    assert "failing=0" in github.comments[0]["body"]
    assert [request.method for request in github.writes] == ["POST", "PATCH", "PATCH"]


def test_a_runner_without_packages_runs_the_build_bare(machine, github):
    (machine.shims / "offline").touch()
    ended = pull_request(machine, github).job(EXAMPLES / "github/ci.yml", "engine")
    assert ended.status == "failure"
    assert "Failed to build the engine" in ended.log
    assert "::warning" in ended.log
    assert github.token not in (machine.shims / "build.env").read_text()
    machine.builds(None)
    assert pull_request(machine, github, "78").job(EXAMPLES / "github/ci.yml", "engine").status == "success"
    assert github.requests == []


def test_a_token_that_may_not_comment_changes_nothing_for_the_build(machine, github):
    for code, status in (("trt86-profile-missing-bert-mask", "failure"), (None, "success")):
        github.fail("POST", "/", 403, body={"message": "Resource not accessible by integration"}, times=9)
        machine.builds(code)
        assert pull_request(machine, github, fork="mallory").job(EXAMPLES / "github/ci.yml", "engine").status == status
    assert github.comments == []
    assert github.checks == []


def test_the_matrix_keeps_a_comment_a_job_and_hands_on_the_cause(machine, github):
    for precision in ("fp16", "int8"):
        ended = pull_request(machine, github).job(EXAMPLES / "github/matrix.yml", "engine", {"precision": precision})
        assert f"failed by {FIRST_CAUSE}, trying again helps - false" in ended.log
        assert ended.outputs["engine"]["report-url"].endswith("/octo/models/actions/runs/77")
        assert f"PRECISION={precision}" in (machine.shims / "build.env").read_text()
    assert ["fp16" in one["body"] for one in github.comments] == [True, False]
    assert "Engines / engine (int8)" in github.comments[1]["body"]
    assert len(github.writes) == 2


def test_the_pair_for_forks(machine, github):
    github.add_pull(5, SHA, owner="mallory")
    github.pulls.pop(0)
    github.fork_commits.add(SHA)
    built = pull_request(machine, github, fork="mallory").job(EXAMPLES / "github/build.yml", "engine")
    assert built.status == "failure"
    assert github.requests == []
    told = workflow_run(machine, github).job(EXAMPLES / "github/build-comment.yml", "comment")
    assert told.status == "success", told.log
    assert len(github.comments) == 1
    assert "Build / engine" in github.comments[0]["body"]
    assert "/actions/runs/77" in github.comments[0]["body"]
    workflow_run(machine, github).job(EXAMPLES / "github/build-comment.yml", "comment")
    assert len(github.writes) == 1

    machine.builds(None)
    pull_request(machine, github, "78", fork="mallory").job(EXAMPLES / "github/build.yml", "engine")
    workflow_run(machine, github, "success", of="78").job(EXAMPLES / "github/build-comment.yml", "comment")
    assert len(github.comments) == 1
    assert "failing=0" in github.comments[0]["body"]


def test_the_pair_refuses_a_report_of_something_else(machine, github):
    pull_request(machine, github).job(EXAMPLES / "github/build.yml", "engine")
    handed = machine.folder / "artifacts/77/triage-report/triage-job.json"
    body = json.loads(handed.read_text("utf-8"))
    for change in ({"run": "66"}, {"commit": "d" * 40}, {"repository": "mallory/models"}):
        handed.write_text(json.dumps({**body, "job": {**body["job"], **change}}), encoding="utf-8")
        ended = workflow_run(machine, github).job(EXAMPLES / "github/build-comment.yml", "comment")
        assert ended.status == "failure"
        assert "Not posted" in ended.log
    assert github.writes == []


@pytest.mark.parametrize("name", ["build-comment", "comment-on-failure"])
def test_nothing_is_said_of_what_was_cancelled_or_not_run(machine, github, name):
    for conclusion in ("cancelled", "skipped", "action_required"):
        assert workflow_run(machine, github, conclusion).job(EXAMPLES / f"github/{name}.yml", "comment") is None


def test_workflows_that_stay_as_they_are(machine, github):
    log = (FIXTURES / "trt86-profile-missing-bert-mask/log.txt").read_bytes()
    with PlainServer({"/logs/9001.txt": log}) as logs:
        github.log_place = logs.origin
        github.add_job("lint", "success")
        github.add_job("engine")
        path = EXAMPLES / "github/comment-on-failure.yml"
        for _ in range(2):
            ended = workflow_run(machine, github, name="CI").job(path, "comment")
            assert ended.status == "success", ended.log
        assert len(github.comments) == 1
        assert FIRST_CAUSE in github.comments[0]["body"]
        assert len(github.writes) == 1
        assert all(github.token not in str(request.headers) for request in logs.requests)
    workflow_run(machine, github, "success", of="78", name="CI").job(path, "comment")
    assert "failing=0" in github.comments[0]["body"]


def test_a_history_tells_what_main_has_too(machine, github):
    path = EXAMPLES / "github/history.yml"
    on_main(machine, github, "70").job(path, "engine")
    ended = pull_request(machine, github).job(path, "engine")
    assert ended.outputs.keys()
    assert "failing on the main branch" in github.comments[0]["body"].lower()
    assert sorted(one.name for one in machine.folder.glob("caches/*")) == ["triage-70-1", "triage-77-1"]


def test_gitlab(machine):
    package = yaml.safe_load((EXAMPLES / "gitlab/.gitlab-ci.yml").read_text("utf-8"))
    comment = component(REPO / "templates/triage/template.yml", package["include"][0]["inputs"])
    wrap, engine = gitlab_script(package, "engine")
    with GitLabServer() as host:
        builds = machine.folder / "builds"
        builds.mkdir()
        env = gitlab_env(host, "engine", CI_BUILDS_DIR=str(builds), CI_PROJECT_DIR=str(machine.project))
        built = machine.run(wrap, env, machine.project)
        assert built.code == 1
        assert host.requests == []
        artifacts = engine["artifacts"]
        for path in (*artifacts["paths"], *artifacts["reports"].values()):
            assert (machine.project / path).exists(), path
        assert f"TRIAGE_CAUSE={FIRST_CAUSE}\n" in (machine.project / artifacts["reports"]["dotenv"]).read_text()

        host.add_job("engine", log=built.out.encode())
        script, job = gitlab_script(comment, "triage")
        for _ in range(2):
            told = machine.run(script, {**gitlab_env(host, "triage"), **job["variables"]}, machine.project)
            assert told.code == 0, told.out
        assert len(host.comments) == 1
        assert FIRST_CAUSE in host.comments[0]["body"]
        assert len(host.writes) == 1
        host.jobs.clear()
        machine.run(script, {**gitlab_env(host, "triage", CI_PIPELINE_ID="78"), **job["variables"]}, machine.project)
        assert len(host.comments) == 1
        assert "failing=0" in host.comments[0]["body"]


def test_jenkins(machine, github):
    text = (EXAMPLES / "jenkins/Jenkinsfile").read_text("utf-8")
    setup, build = jenkins_steps(text)
    variable = re.search(r"variable: '(\w+)'", text)[1]

    def ended(number):
        env = {**jenkins_env(github, machine, number), variable: github.token}
        assert machine.run(setup, env, machine.project, ("sh", "-xe")).code == 0
        return machine.run(build, env, machine.project, ("sh", "-xe"))

    done = ended("12")
    assert done.code == 1
    assert github.token not in done.out
    assert len(github.comments) == 1
    assert "engines / engine" in github.comments[0]["body"]
    assert len(github.writes) == 1
    for path in re.findall(r"'(triage-report/[\w./-]+)'", text):
        assert (machine.project / path).exists()
    machine.builds(None)
    assert ended("14").code == 0
    assert len(github.comments) == 1
    assert "failing=0" in github.comments[0]["body"]


def test_buildkite(machine, github):
    step = yaml.safe_load((EXAMPLES / "buildkite/pipeline.yml").read_text("utf-8"))["steps"][0]
    agent = machine.shims / "buildkite-agent"
    agent.write_text('#!/bin/sh\necho "$@" >> "$SHIMS/agent.log"\ncat >> "$SHIMS/agent.log"\n')
    agent.chmod(0o755)
    env = {**buildkite_env(github), step["secrets"][0]: github.token}
    assert (env["BUILDKITE_LABEL"], env["BUILDKITE_STEP_KEY"]) == (step["label"], step["key"])
    assert machine.run("\n".join(step["commands"]), env, machine.project, ("bash", "-e")).code == 1
    assert len(github.comments) == 1
    assert "engines / engine" in github.comments[0]["body"]
    assert len(github.writes) == 1
    assert "annotate --style error" in (machine.shims / "agent.log").read_text()


def test_gitea(machine):
    with GiteaServer() as host:
        for run in ("77", "78"):
            runner = pull_request(machine, host, run)
            runner.env |= {"GITEA_ACTIONS": "true"}
            ended = runner.job(EXAMPLES / "gitea/workflow.yml", "engine", secrets={"TRIAGE_GITEA_TOKEN": host.token})
            assert ended.status == "failure"
        assert len(host.comments) == 1
        assert FIRST_CAUSE in host.comments[0]["body"]
        assert [quote(request.path) for request in host.writes] == ["/api/v1/repos/octo/models/issues/5/comments"]
