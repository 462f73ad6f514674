"""Where a job runs: what each CI system says, as its documentation shows it, and what a hostile one may not say."""

import json
import subprocess
import sys

import pytest

from triage.discovery import names
from triage.environment import attempt, job, job_status, origin, origin_of, refused, run_status
from triage.environment.systems import _values, system_of
from triage.environment.systems._hosts import place_of, place_of_change
from triage.records import Job

HEAD, MERGE, BASE = "a" * 40, "b" * 40, "c" * 40
GITHUB = {
    "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW": "CI", "GITHUB_JOB": "build",
    "GITHUB_REPOSITORY": "team/model", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL":
    "https://api.github.com", "GITHUB_RUN_ID": "1658821493", "GITHUB_RUN_NUMBER": "7", "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_ACTOR": "octocat", "GITHUB_SHA": MERGE,
}  # fmt: skip
PULL = {
    **GITHUB, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/5/merge", "GITHUB_REF_NAME": "5/merge",
    "GITHUB_HEAD_REF": "feature", "GITHUB_BASE_REF": "main",
}  # fmt: skip
PUSH = {
    **GITHUB, "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main",
    "GITHUB_SHA": BASE,
}  # fmt: skip
GITLAB = {
    "CI": "true", "GITLAB_CI": "true", "CI_PROJECT_PATH": "group/sub/model", "CI_PROJECT_ID": "17",
    "CI_API_V4_URL": "https://gitlab.example.com/api/v4", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": MERGE,
    "CI_PIPELINE_ID": "77", "CI_JOB_ID": "99", "CI_JOB_NAME": "engine: [fp16, a10]",
    "CI_JOB_URL": "https://gitlab.example.com/group/sub/model/-/jobs/99", "CI_JOB_STATUS": "running",
}  # fmt: skip
REQUEST = {
    **GITLAB, "CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_PROJECT_PATH": "group/sub/model",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "group/sub/model", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_REF_NAME": "refs/merge-requests/5/merge",
}  # fmt: skip
BUILDKITE = {
    "CI": "true", "BUILDKITE": "true", "BUILDKITE_PIPELINE_SLUG": "model", "BUILDKITE_LABEL": ":hammer: engine",
    "BUILDKITE_REPO": "git@github.com:team/model.git", "BUILDKITE_BRANCH": "feature", "BUILDKITE_COMMIT": HEAD,
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main", "BUILDKITE_PIPELINE_PROVIDER": "github",
    "BUILDKITE_PULL_REQUEST": "5", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main", "BUILDKITE_BUILD_NUMBER": "1514",
    "BUILDKITE_PULL_REQUEST_REPO": "git://github.com/team/model.git", "BUILDKITE_RETRY_COUNT": "1",
    "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/model/builds/1514",
    "BUILDKITE_JOB_ID": "e44f9784-e20e-4b93-a21d-f41fd5869db9",
}  # fmt: skip
JENKINS = {
    "CI": "true", "JENKINS_URL": "https://ci.example.com/", "JOB_NAME": "team/model/PR-5", "BRANCH_NAME": "PR-5",
    "CHANGE_ID": "5", "CHANGE_URL": "https://github.com/team/model/pull/5", "CHANGE_TARGET": "main",
    "CHANGE_BRANCH": "feature", "GIT_URL": "https://github.com/team/model.git", "GIT_COMMIT": HEAD,
    "GIT_BRANCH": "PR-5", "BUILD_NUMBER": "3", "BUILD_URL": "https://ci.example.com/job/team/job/model/job/PR-5/3/",
}  # fmt: skip
GITEA = {
    **PULL, "GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_SHA": HEAD,
    "GITHUB_API_URL": "https://git.example.com/api/v1",
}  # fmt: skip
FORGEJO = {**GITEA, "FORGEJO_ACTIONS": "true"}
SYSTEMS = {
    "github": PULL, "gitlab": REQUEST, "buildkite": BUILDKITE, "jenkins": JENKINS, "gitea": GITEA, "forgejo": FORGEJO,
}  # fmt: skip


def pull_event(full_name="team/model", **more):
    return {
        "pull_request": {
            "number": 5, "base": {"ref": "main"},
            "head": {"sha": HEAD, "ref": "feature", "repo": {"full_name": full_name}},
        },
        "repository": {"default_branch": "main", "full_name": "team/model"}, **more,
    }  # fmt: skip


def run_event(**more):
    run = {
        "id": 4242, "name": "CI", "run_attempt": 2, "head_sha": HEAD, "head_branch": "feature", "conclusion": "failure",
        "html_url": "https://github.com/team/model/actions/runs/4242",
        "pull_requests": [{"number": 5, "head": {"sha": HEAD, "ref": "feature"}, "base": {"ref": "main"}}], **more,
    }  # fmt: skip
    return {"workflow_run": run, "repository": {"default_branch": "main"}}


@pytest.fixture
def event(tmp_path):
    """Gives a function: an event -> the variable that leads to its file."""

    def write(content):
        path = tmp_path / f"event{len(list(tmp_path.iterdir()))}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return {"GITHUB_EVENT_PATH": str(path)}

    return write


def test_every_system_is_tried_here():
    assert set(names("triage.environment.systems")) == set(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_exactly_one_system_is_here(system):
    from importlib import import_module

    here = [
        name
        for name in names("triage.environment.systems")
        if import_module(f"triage.environment.systems.{name}").here(SYSTEMS[system])
    ]
    assert here == [system]
    assert job(SYSTEMS[system]).system == system


def test_a_shell_is_no_system_and_costs_no_module():
    assert system_of({"PATH": "/bin", "HOME": "/root", "CI": "true"}) is None
    assert system_of({"GITHUB_TOKEN": "x", "JENKINS_HOME": "/var/jenkins_home", "GITLAB_CI": "false"}) is None
    code = (
        "import sys; from triage.environment import origin; origin({'PATH': '/bin'});"
        "print([m for m in sys.modules if m.startswith('triage.environment.systems.') and '._' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what each says of a change

CHANGE = {
    "repository": "team/model", "commit": HEAD, "branch": "feature", "base": "main", "change": "5", "trusted": True,
}  # fmt: skip
SAID = {
    "github": {
        **CHANGE, "name": "CI / build", "host": "github", "api": "https://api.github.com", "default_branch": "main",
        "run": "1658821493", "attempt": 1, "run_url": "https://github.com/team/model/actions/runs/1658821493",
    },
    "gitlab": {
        **CHANGE, "name": "engine: [fp16, a10]", "host": "gitlab", "api": "https://gitlab.example.com/api/v4",
        "repository": "group/sub/model", "commit": MERGE, "default_branch": "main", "run": "77", "job": "99",
        "run_url": "https://gitlab.example.com/group/sub/model/-/jobs/99",
    },
    "buildkite": {
        **CHANGE, "name": "model / :hammer: engine", "host": "github", "api": "https://api.github.com",
        "default_branch": "main", "run": "1514", "attempt": 2,
        "run_url": "https://buildkite.com/acme/model/builds/1514#e44f9784-e20e-4b93-a21d-f41fd5869db9",
    },
    "jenkins": {
        **CHANGE, "name": "team/model", "host": "github", "api": "https://api.github.com",
        "default_branch": None, "run": "3",
        "run_url": "https://ci.example.com/job/team/job/model/job/PR-5/3/",
    },
    "gitea": {
        **CHANGE, "name": "CI / build", "host": "gitea", "api": "https://git.example.com/api/v1",
        "default_branch": "main",
        "run": "1658821493", "run_url": "https://git.example.com/team/model/actions/runs/7",
    },
}  # fmt: skip
SAID["forgejo"] = SAID["gitea"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_system_says_of_a_change(system, event):
    found = job({**SYSTEMS[system], **event(pull_event())})._asdict()
    assert {name: found[name] for name in SAID[system]} == SAID[system]


PUSHES = {
    "github": PUSH,
    "gitlab": {**GITLAB, "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": BASE},
    "buildkite": {
        **BUILDKITE, "BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "",
        "BUILDKITE_PULL_REQUEST_REPO": "", "BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": BASE,
    },
    "jenkins": {
        "JENKINS_URL": "https://ci.example.com/", "JOB_NAME": "team/model/main", "BRANCH_NAME": "main",
        "BRANCH_IS_PRIMARY": "true", "GIT_URL": "https://github.com/team/model.git", "GIT_COMMIT": BASE,
        "GIT_BRANCH": "main", "BUILD_NUMBER": "9", "BUILD_URL": "https://ci.example.com/job/m/9/",
    },
    "gitea": {**PUSH, "GITEA_ACTIONS": "true"},
    "forgejo": {**PUSH, "FORGEJO_ACTIONS": "true"},
}  # fmt: skip


@pytest.mark.parametrize("system", PUSHES)
def test_a_push_to_the_main_branch_is_no_change_and_the_same_job(system, event):
    pushed = {**PUSHES[system], **event({"repository": {"default_branch": "main"}})}
    found = job(pushed)
    assert (found.change, found.base, found.commit, found.branch) == (None, None, BASE, "main")
    assert (found.default_branch, found.trusted) == ("main", True)
    on_change, on_main = origin({**SYSTEMS[system], **event(pull_event())}), origin(pushed)
    assert on_main.job
    assert (on_main.repository, on_main.job) == (on_change.repository, on_change.job)
    assert (on_main.branch, on_change.branch) == ("main", "feature")


# --- GitHub in particular


def test_the_commit_of_a_pull_request_is_its_head_and_the_merge_is_filed(event):
    environ = {**PULL, **event(pull_event())}
    assert (job(environ).commit, origin(environ).commit) == (HEAD, MERGE)


@pytest.mark.parametrize(
    ("name", "actor", "kind", "trusted"),
    [
        ("team/model", "octocat", "pull_request", True),
        ("mallory/model", "mallory", "pull_request", False),
        ("team/model", "dependabot[bot]", "pull_request", False),
        ("mallory/model", "mallory", "pull_request_target", True),
        (None, "octocat", "pull_request", False),
    ],
)
def test_who_may_write(event, name, actor, kind, trusted):
    found = job({**PULL, "GITHUB_ACTOR": actor, "GITHUB_EVENT_NAME": kind, **event(pull_event(name))})
    assert (found.change, found.commit, found.trusted) == ("5", HEAD, trusted)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pull_request": []}', '{"pull_request": {"head": "x"}}', "[" * 9999]
)
def test_without_an_event_the_number_stands_in_the_reference(event, content):
    found = job({**PULL, **event(content)})
    assert (found.change, found.commit, found.base, found.branch, found.trusted) == (
        "5",
        None,
        "main",
        "feature",
        False,
    )
    assert job({**PULL, "GITHUB_EVENT_PATH": "/no/such"}) == found
    assert job({**PULL, "GITHUB_EVENT_PATH": "/dev"}) == found


def test_an_event_of_two_megabytes_is_read_and_one_of_ten_is_not(event):
    assert job({**PULL, **event(pull_event(more="x" * (2 << 20)))}).commit == HEAD
    assert job({**PULL, **event(pull_event(more="x" * (10 << 20)))}).commit is None


def test_a_workflow_run_is_the_run_that_ended(event):
    here = {**PUSH, "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_WORKFLOW": "comment", "GITHUB_JOB": "say"}
    found = job({**here, **event(run_event())})
    assert found == Job(
        system="github", name="CI", host="github", api="https://api.github.com", repository="team/model", commit=HEAD,
        branch="feature", base="main", default_branch="main", change="5", run="4242", attempt=2,
        run_url="https://github.com/team/model/actions/runs/4242/attempts/2",
    )  # fmt: skip
    assert origin({**here, **event(run_event())}).commit == HEAD
    assert run_status({**here, **event(run_event())}) == "failure"
    assert run_status({**here, **event(run_event(conclusion="success"))}) == "success"
    assert run_status({**here, **event(run_event(conclusion="skipped"))}) == "cancelled"
    assert run_status({**here, **event(run_event(conclusion=["success"]))}) is None
    assert run_status({**PUSH, **event(run_event())}) is None


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        None,
        "5",
        [{"number": 5, "head": {"sha": BASE}}],
        [{"number": 5, "head": {"sha": HEAD}}, {"number": 6, "head": {"sha": HEAD}}],
        [{"number": "5; rm -rf /", "head": {"sha": HEAD}}],
    ],
)
def test_a_workflow_run_whose_pull_request_is_not_certain_has_none(event, pulls):
    found = job({**PUSH, "GITHUB_EVENT_NAME": "workflow_run", **event(run_event(pull_requests=pulls))})
    assert (found.change, found.commit) == (None, HEAD)


def test_schedules_and_merge_queues(event):
    nightly = job({**PUSH, "GITHUB_EVENT_NAME": "schedule", **event({"schedule": "0 3 * * *"})})
    assert (nightly.default_branch, nightly.change, nightly.commit) == ("main", None, BASE)
    name = f"gh-readonly-queue/main/pr-5-{HEAD}"
    queue = {**GITHUB, "GITHUB_EVENT_NAME": "merge_group", "GITHUB_REF": f"refs/heads/{name}", "GITHUB_REF_NAME": name}
    queued = job({**queue, **event({"merge_group": {"head_sha": MERGE, "base_ref": "refs/heads/main"}})})
    assert (queued.change, queued.commit, queued.base, queued.branch) == (None, MERGE, "main", name)


def test_enterprise_servers():
    own = {**PUSH, "GITHUB_API_URL": "https://git.example.com/api/v3", "GITHUB_SERVER_URL": "https://git.example.com"}
    assert job(own).api == "https://git.example.com/api/v3"
    assert job({**own, "GITHUB_API_URL": ""}).api == "https://git.example.com/api/v3"


# --- forks, and the branch called main in them

FORKS = {
    "github": PULL,
    "gitea": GITEA,
    "forgejo": FORGEJO,
    "gitlab": {**REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/model"},
    "buildkite": {**BUILDKITE, "BUILDKITE_PULL_REQUEST_REPO": "git://github.com/mallory/model.git"},
    "jenkins": {**JENKINS, "CHANGE_FORK": "mallory"},
}


@pytest.mark.parametrize("system", FORKS)
def test_a_fork_is_not_trusted_and_its_main_branch_is_not_ours(system, event):
    environ = {**FORKS[system], **event(pull_event("mallory/model"))}
    for name in ("GITHUB_HEAD_REF", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "BUILDKITE_BRANCH", "CHANGE_BRANCH"):
        if name in environ:
            environ[name] = "main"
    found = job(environ)
    assert (found.change, found.trusted, found.branch) == ("5", False, "main")
    assert origin(environ).branch == origin_of(found).branch == "#5:main"


def test_a_pipeline_that_runs_in_the_fork_comments_where_the_request_is():
    environ = {
        **REQUEST,
        "CI_PROJECT_PATH": "mallory/model",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/model",
    }
    found = job(environ)
    assert (found.repository, found.trusted, origin(environ).repository) == ("group/sub/model", False, "mallory/model")


# --- GitLab, Buildkite and Jenkins in particular


def test_merged_results_have_their_own_commit():
    environ = {**REQUEST, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD}
    assert (job(environ).commit, origin(environ).commit) == (HEAD, MERGE)


@pytest.mark.parametrize(
    ("opened", "change"),
    [
        ("group/sub/model!5", "5"),
        ("group/sub/model!5,group/sub/model!6", None),
        ("group/sub/model!5 ", "5"),
        ("!5", None),
        ("group/sub/model!x", None),
        ("", None),
    ],
)
def test_the_pipeline_of_a_branch_knows_its_merge_request(opened, change):
    assert job({**GITLAB, "CI_COMMIT_REF_NAME": "feature", "CI_OPEN_MERGE_REQUESTS": opened}).change == change


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"CHANGE_URL": "https://gitlab.example.com/a/b/c/-/merge_requests/5"}, ("gitlab", "a/b/c", "https://gitlab.example.com/api/v4")),
        ({"CHANGE_URL": "https://git.example.com/a/b/pulls/5"}, ("gitea", "a/b", "https://git.example.com/api/v1")),
        ({"CHANGE_URL": "https://ghe.example.com/a/b/pull/5/"}, ("github", "a/b", "https://ghe.example.com/api/v3")),
        ({"CHANGE_URL": "https://bb.example.com/projects/A/repos/b/pull-requests/5"}, ("github", "team/model", "https://api.github.com")),
        ({"CHANGE_URL": "", "GIT_URL": "ssh://git@git.example.com:2222/a/b/c.git"}, (None, "a/b/c", None)),
        (
            {"CHANGE_URL": "", "GIT_URL": "git@git.example.com:a/b/c.git", "TRIAGE_HOST": "gitlab"},
            ("gitlab", "a/b/c", "https://git.example.com/api/v4"),
        ),
        ({"CHANGE_URL": "javascript:alert(1)", "GIT_URL": "/srv/git/a.git"}, (None, None, None)),
    ],
)  # fmt: skip
def test_jenkins_tells_the_host_by_addresses(changes, said):
    found = job({**JENKINS, **changes})
    assert (found.host, found.repository, found.api) == said
    assert found.change == "5"


def test_the_name_of_a_jenkins_job_has_no_branch_in_it():
    nested = {**JENKINS, "JOB_NAME": "team/model/feature%2Fx", "BRANCH_NAME": "feature/x", "CHANGE_ID": ""}
    assert job(nested).name == job(JENKINS).name == "team/model"
    assert job({**JENKINS, "JOB_NAME": "nightly", "BRANCH_NAME": "", "CHANGE_ID": ""}).name == "nightly"
    assert job({**nested, "JOB_NAME": "team/engine", "BRANCH_NAME": "main"}).name == "team/engine"
    plain = {
        **JENKINS,
        "CHANGE_ID": "",
        "CHANGE_URL": "",
        "CHANGE_BRANCH": "",
        "BRANCH_NAME": "",
        "GIT_BRANCH": "origin/main",
    }
    assert (job(plain).branch, origin(plain).branch) == ("main", "origin/main")


def test_where_jenkins_merges_first_the_head_is_asked_of_git(tmp_path):
    def git(*words):
        done = subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-q", "--allow-empty", "-m", "head")
    head = git("rev-parse", "HEAD")
    git("update-ref", "refs/remotes/origin/PR-5", head)
    environ = {**JENKINS, "GIT_COMMIT": MERGE, "WORKSPACE": str(tmp_path)}
    assert (job(environ).commit, origin(environ).commit) == (head, MERGE)
    assert job({**environ, "BRANCH_NAME": "PR-6"}).commit == MERGE


def test_buildkite_knows_a_repository_by_any_of_its_addresses():
    same = {**BUILDKITE, "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/Team/Model"}
    assert job(same).trusted
    own = {**BUILDKITE, "BUILDKITE_REPO": "git@code.example.com:team/model.git"}
    assert job({**own, "BUILDKITE_PIPELINE_PROVIDER": "github_enterprise"}).api == "https://code.example.com/api/v3"
    assert job({**own, "BUILDKITE_PIPELINE_PROVIDER": "bitbucket"}).host is None
    assert job({**BUILDKITE, "BUILDKITE_COMMIT": "HEAD"}).commit is None


# --- the jobs of a matrix, names, overrides


def test_jobs_of_a_matrix_differ():
    named = {job({**PUSH, "TRIAGE_JOB_NAME": name}).name for name in ("build (fp16)", "build (int8)", "")}
    assert named == {"build (fp16)", "build (int8)", "CI / build"}
    assert job(PUSH, name="build / int8").name == origin(PUSH, name="build / int8").job == "build / int8"
    parts = {job({**BUILDKITE, "BUILDKITE_PARALLEL_JOB": n, "BUILDKITE_PARALLEL_JOB_COUNT": "2"}).name for n in "01"}
    assert parts == {"model / :hammer: engine / 1 of 2", "model / :hammer: engine / 2 of 2"}
    stages = {job({**JENKINS, "STAGE_NAME": name}).name for name in ("fp16", "int8", "Declarative: Post Actions")}
    assert stages == {"team/model / fp16", "team/model / int8", "team/model"}
    long = [job(PUSH, name="x" * 300 + end).name for end in "ab"]
    assert long[0] != long[1]
    assert {len(name) for name in long} == {200}


def test_a_person_may_state_what_no_variable_says(tmp_path):
    stated = {
        "TRIAGE_HOST": "gitlab", "TRIAGE_API_URL": "https://gitlab.example.com/sub/api/v4/", "TRIAGE_CHANGE": "12",
        "TRIAGE_REPOSITORY": "a/b/c", "TRIAGE_COMMIT": HEAD.upper(), "TRIAGE_JOB_NAME": "engine",
    }  # fmt: skip
    found = job(stated, cwd=str(tmp_path))
    assert found == Job(
        system="shell", name="engine", host="gitlab", api="https://gitlab.example.com/sub/api/v4", repository="a/b/c",
        commit=HEAD, change="12",
    )  # fmt: skip
    where = origin(stated, cwd=str(tmp_path))
    assert (where.ci, where.repository, where.commit, where.job) == (None, "a/b/c", HEAD, "engine")
    assert refused(stated) == ()


def test_another_host_never_keeps_the_address_of_the_first():
    assert job({**PUSH, "TRIAGE_HOST": "gitlab"}).api == "https://gitlab.com/api/v4"
    assert job({**PUSH, "TRIAGE_HOST": "gitea"}).api is None
    assert job({**PUSH, "TRIAGE_HOST": "github"}).api == "https://api.github.com"


def test_what_is_stated_wrongly_is_said_and_passed_over(tmp_path):
    wrong = {
        "TRIAGE_HOST": "../x", "TRIAGE_API_URL": "file:///etc", "TRIAGE_CHANGE": "refs/pull/5", "TRIAGE_COMMIT": "main",
        "TRIAGE_REPOSITORY": "model", "GITHUB_TOKEN": "x",
    }  # fmt: skip
    assert {text.split(" ")[0] for text in refused(wrong)} == {name for name in wrong if name.startswith("TRIAGE")}
    assert job(wrong, cwd=str(tmp_path)) == Job(system="shell", name="shell")


def test_a_shell_is_described_by_git(tmp_path):
    def git(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    git("remote", "add", "origin", "https://me:word@gitlab.com/a/b/c.git")
    found = job({}, cwd=str(tmp_path))
    assert (found.system, found.name, found.branch) == ("shell", "shell", "trunk")
    assert (found.host, found.repository, found.api) == ("gitlab", "a/b/c", "https://gitlab.com/api/v4")
    assert origin({}, cwd=str(tmp_path)).job is None


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, None),
        ({"TRIAGE_JOB_STATUS": "failure"}, "failure"),
        ({"TRIAGE_JOB_STATUS": "Cancelled"}, "cancelled"),
        ({"TRIAGE_JOB_STATUS": "perhaps"}, None),
        ({**GITLAB, "CI_JOB_STATUS": "success"}, "success"),
        ({**GITLAB, "CI_JOB_STATUS": "failed"}, "failure"),
        ({**GITLAB, "CI_JOB_STATUS": "canceled"}, "cancelled"),
        (GITLAB, None),
        ({**BUILDKITE, "BUILDKITE_COMMAND_EXIT_STATUS": "0"}, "success"),
        ({**BUILDKITE, "BUILDKITE_COMMAND_EXIT_STATUS": "137"}, "failure"),
        (BUILDKITE, None),
        (PUSH, None),
    ],
)
def test_how_the_job_ended(environ, status):
    assert job_status(environ) == status


def test_attempts():
    assert attempt({**PUSH, "GITHUB_RUN_ATTEMPT": "3"}) == 3
    assert attempt(BUILDKITE) == 2
    assert (attempt(GITLAB), attempt(JENKINS), attempt({**PUSH, "GITHUB_RUN_ATTEMPT": "-1"})) == (None, None, None)
    again = {**GITEA, "GITHUB_RUN_ATTEMPT": "2"}
    assert job(again).run_url == "https://git.example.com/team/model/actions/runs/7#attempt-2"


# --- hostile values

HOSTILE = (
    "x\n::set-output name=a::b", "\x1b]0;x\x07", "<script>alert(1)</script>", "../../etc/passwd", "a" * 100_000,
    "\u202ex", "$(id)", "--upload-pack=id", "ghp_0123456789abcdefghij0123456789abcdef", "\ud800", "1e9", "0", "-5",
    "\u0665", "https://me:word@evil.example.com/?token=x",
)  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_do_not_come_through(system, value, event):
    marks = {"GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITLAB_CI", "BUILDKITE", "JENKINS_URL"}
    data = json.loads(json.dumps(pull_event()).replace(HEAD, "HOSTILE").replace("feature", "HOSTILE"))
    text = json.dumps(data).replace('"HOSTILE"', json.dumps(value)).replace(": 5,", f": {json.dumps(value)},")
    environ = {name: kept if name in marks else value for name, kept in SYSTEMS[system].items()}
    found = job({**environ, **event(text)})
    assert found.system == system
    assert found.repository is None
    assert found.api is None or "word" not in found.api
    for part in (*found, *origin({**environ, **event(text)})[1:]):
        if isinstance(part, str):
            assert part.isprintable()
            assert len(part) <= 500
            assert "ghp_0123" not in part
            assert "me:word" not in part
    assert found.change is None or (found.change.isascii() and found.change.isdigit())
    assert found.commit is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:word@host.example.com:8443/a?token=x#frag", "https://host.example.com:8443/a#frag"),
        ("HTTP://[::1]:80/a", "http://[::1]:80/a"),
        ("https://host/a\"onclick='x'>", "https://host/aonclick=x"),
        ("https://host/a b", None),
        ("https://", None),
        ("ftp://host/a", None),
        ("javascript://host/%0aalert(1)", None),
        ("https://host.example.com@evil.example.com/", "https://evil.example.com/"),
        ("https://a" + "b" * 600, None),
    ],
)
def test_addresses(address, shown):
    assert _values.address(address) == shown


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("git@github.com:team/model.git", ("https://github.com", "team/model", "github")),
        ("ssh://git@ssh.github.com:443/team/model.git", ("https://github.com", "team/model", "github")),
        ("https://github.com/team/model", ("https://github.com", "team/model", "github")),
        ("https://codeberg.org/team/model.git", ("https://codeberg.org", "team/model", "gitea")),
        ("http://gitlab.example.com:8080/a/b/c.git", ("http://gitlab.example.com:8080", "a/b/c", "gitlab")),
        ("git://git.example.com/a/b", ("https://git.example.com", "a/b", None)),
        ("github.com/a/b/c/d", None),
        ("git@github.com:a/b/c.git", None),
        ("/srv/git/a.git", None),
        ("C:\\git\\a", None),
        ("git@github.com:../../a", None),
        ("", None),
    ],
)
def test_places_of_clones(address, place):
    found = place_of(address)
    assert (found and tuple(found[:3])) == place


def test_places_of_changes_never_raise():
    assert place_of_change(None) is None
    assert place_of_change("https://github.com/a/b/pull/") is None
    assert place_of_change("https://github.com/a/b/pull/5/files") is None
