"""Jobs as CI systems describe them, in variables and events, for the pull request 5 of octo/models."""

from ci_runner import Actions

SHA, MERGE = "c0ffee" + "0" * 34, "badc0de" + "0" * 33


def pull_request(machine, host, run="77", fork="octo"):
    head = {"sha": SHA, "ref": "feature", "repo": {"full_name": f"{fork}/models"}}
    event = {
        "action": "synchronize", "number": 5, "repository": {"full_name": "octo/models", "default_branch": "main"},
        "pull_request": {"number": 5, "head": head, "base": {"ref": "main"}},
    }  # fmt: skip
    return Actions(
        machine, host, "pull_request", event, GITHUB_RUN_ID=run, GITHUB_SHA=MERGE, GITHUB_REF="refs/pull/5/merge",
        GITHUB_REF_NAME="5/merge", GITHUB_HEAD_REF="feature", GITHUB_BASE_REF="main",
    )  # fmt: skip


def workflow_run(machine, host, conclusion="failure", of="77", sha=SHA, name="Build"):
    run = {
        "id": int(of), "name": name, "run_attempt": 1, "head_sha": sha, "head_branch": "feature",
        "event": "pull_request", "conclusion": conclusion, "pull_requests": [],
        "html_url": f"{host.origin}/octo/models/actions/runs/{of}",
    }  # fmt: skip
    event = {
        "action": "completed",
        "workflow_run": run,
        "repository": {"full_name": "octo/models", "default_branch": "main"},
    }
    return Actions(
        machine, host, "workflow_run", event, GITHUB_RUN_ID="900", GITHUB_SHA="a" * 40, GITHUB_REF="refs/heads/main",
        GITHUB_REF_NAME="main",
    )  # fmt: skip


def on_main(machine, host, run):
    event = {"ref": "refs/heads/main", "repository": {"full_name": "octo/models", "default_branch": "main"}}
    return Actions(
        machine, host, "push", event, GITHUB_RUN_ID=run, GITHUB_SHA=run.zfill(40), GITHUB_REF="refs/heads/main",
        GITHUB_REF_NAME="main",
    )  # fmt: skip


def gitlab_env(host, job, **more):
    return {
        "CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": host.origin, "CI_API_V4_URL": host.url, "CI_JOB_NAME": job,
        "CI_JOB_ID": "501", "CI_JOB_URL": f"{host.origin}/group/models/-/jobs/501", "CI_PIPELINE_ID": "77",
        "CI_PIPELINE_URL": f"{host.origin}/group/models/-/pipelines/77", "CI_PROJECT_PATH": "group/models",
        "CI_PROJECT_ID": "1", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": SHA, "CI_COMMIT_REF_NAME": "feature",
        "CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "5",
        "CI_MERGE_REQUEST_PROJECT_PATH": "group/models", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "group/models",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_JOB_TOKEN": "glcbt-64_none", "TRIAGE_GITLAB_TOKEN": host.token, **more,
    }  # fmt: skip


def jenkins_env(host, machine, number="12"):
    return {
        "JENKINS_URL": "https://ci.example/", "JOB_NAME": "engines/PR-5", "BUILD_NUMBER": number, "CHANGE_ID": "5",
        "BUILD_URL": f"https://ci.example/job/engines/job/PR-5/{number}/", "BRANCH_NAME": "PR-5",
        "CHANGE_TARGET": "main", "CHANGE_BRANCH": "feature", "GIT_COMMIT": SHA,
        "CHANGE_URL": "https://github.example/octo/models/pull/5",
        "GIT_URL": "https://github.example/octo/models.git", "STAGE_NAME": "engine", "TRIAGE_API_URL": host.url,
        "WORKSPACE": str(machine.project), "WORKSPACE_TMP": f"{machine.project}@tmp",
    }  # fmt: skip


def buildkite_env(host):
    return {
        "CI": "true", "BUILDKITE": "true", "BUILDKITE_PIPELINE_SLUG": "engines", "BUILDKITE_LABEL": "engine",
        "BUILDKITE_STEP_KEY": "engine", "BUILDKITE_REPO": "https://github.example/octo/models.git",
        "BUILDKITE_PIPELINE_PROVIDER": "github_enterprise", "BUILDKITE_COMMIT": SHA, "BUILDKITE_BRANCH": "feature",
        "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main", "BUILDKITE_PULL_REQUEST": "5", "BUILDKITE_BUILD_NUMBER": "9",
        "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main", "BUILDKITE_BUILD_URL": "https://buildkite.example/engines/builds/9",
        "BUILDKITE_PULL_REQUEST_REPO": "https://github.example/octo/models.git", "BUILDKITE_JOB_ID": "0190-abc",
        "BUILDKITE_RETRY_COUNT": "0", "TRIAGE_API_URL": host.url,
    }  # fmt: skip
