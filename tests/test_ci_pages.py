"""The pages for CI say what is: commands run, snippets stand in the examples, comments are those of today."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from ci_jobs import SHA, buildkite_env, gitlab_env, jenkins_env, pull_request
from ci_runner import Machine
from ci_servers import GiteaServer, GitHubServer, GitLabServer
from markdown_it import MarkdownIt
from support import REPO

PAGES = sorted(REPO.glob("examples/*/README.md"))
SHARED = REPO / "examples" / "README.md"
README = REPO / "README.md"
LINK = re.compile(r"\]\(([^)#]+)?(#[\w-]+)?\)")


def blocks(page, language):
    """The fenced blocks of a page in one language."""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info == language]


@pytest.fixture
def machine(tmp_path, sqlite_template):
    machine = Machine(tmp_path / "machine", sqlite_template)
    shutil.copy(machine.shims / "linked", machine.shims / "triage")
    return machine


def run_page(machine, page, env):
    """Runs the bash blocks of a page, one after the other in one folder; gives what they printed."""
    said = []
    for block in blocks(page, "bash"):
        done = machine.run(block, {**machine.env, **env}, machine.project)
        assert done.code == int("ci wrap" in block), done.out
        said.append(done.out)
    return said


def test_github(machine):
    with GitHubServer() as host:
        host.add_pull(5, SHA)
        host.add_job("engine", log=b"", run=123456789)
        host.log_place = host.origin
        host.fail("GET", "/logs/9000", 200, body=(machine.project / "engine.log").read_bytes(), times=2)
        env = {**pull_request(machine, host).env, "GITHUB_TOKEN": host.token}
        (tried,) = run_page(machine, REPO / "examples/github/README.md", env)
        assert "POST " in tried
        assert host.token not in tried
        assert len(host.comments) == len(host.writes) == 1


def test_gitlab(machine):
    with GitLabServer() as host:
        host.add_job("engine", log=(machine.project / "engine.log").read_bytes(), run=123456789)
        env = gitlab_env(host, "triage")
        (tried,) = run_page(machine, REPO / "examples/gitlab/README.md", env)
        assert "POST " in tried
        assert len(host.comments) == len(host.writes) == 1


def test_gitea(machine):
    with GiteaServer() as host:
        env = {"TRIAGE_API_URL": host.url, "TRIAGE_GITEA_TOKEN": host.token, "TRIAGE_COMMIT": SHA}
        (tried,) = run_page(machine, REPO / "examples/gitea/README.md", env)
        assert "POST " in tried
        assert len(host.comments) == len(host.writes) == 1


@pytest.mark.parametrize(("name", "environment"), [("jenkins", jenkins_env), ("buildkite", buildkite_env)])
def test_jenkins_and_buildkite(machine, name, environment):
    with GitHubServer() as host:
        env = environment(host, machine) if name == "jenkins" else environment(host)
        said = run_page(machine, REPO / f"examples/{name}/README.md", {**env, "TRIAGE_GITHUB_TOKEN": host.token})
        assert "dry run, nothing was written" in said[-1]
        assert len(host.comments) == len(host.writes) == (1 if name == "jenkins" else 0)


@pytest.mark.parametrize("page", [README, REPO / "examples/shell/README.md"], ids=["README", "shell"])
def test_shell(machine, page):
    with GitHubServer() as host:
        env = {"TRIAGE_API_URL": host.url, "TRIAGE_COMMIT": SHA, "TRIAGE_GITHUB_TOKEN": host.token}
        if page == README:
            lines = next(block for block in blocks(README, "bash") if "triage ci wrap" in block).splitlines()
            shutil.copy(machine.project / "engine.log", machine.project / "build.log")
            shutil.copy(machine.project / "engine.log", machine.project / "test.log")
            known = {"TRIAGE_HOST": "github", "TRIAGE_REPOSITORY": "octo/models", "TRIAGE_CHANGE": "5"}
            codes = [machine.run(line, {**env, **known}, machine.project).code for line in lines]
            assert codes == [1, 0, 0]
        else:
            run_page(machine, page, env)
        assert len(host.comments) == len(host.writes) == 1
        assert "profile-missing" in host.comments[0]["body"]


def test_webhook(machine):
    make, run = blocks(REPO / "examples/webhook/README.md", "bash")
    secret = machine.run(make, machine.env, machine.project).out.strip()
    assert re.fullmatch(r"whsec_[\w+/=]{44}", secret)
    shutil.copy(REPO / "examples/webhook/receiver.py", machine.project)
    env = {**machine.env, "TRIAGE_WEBHOOK_SECRET": secret}
    with subprocess.Popen(
        [sys.executable, "receiver.py", "0"], cwd=machine.project, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as receiver:  # fmt: skip
        try:
            port = receiver.stderr.readline().split()[-1]
            env["TRIAGE_WEBHOOK_URL"] = f"http://127.0.0.1:{port}/"
            (call,) = [line for line in run.splitlines() if line.startswith("triage ")]
            for at, key in (("1", secret), ("1", secret), ("2", "whsec_" + "A" * 44)):
                sent = {**env, "TRIAGE_WEBHOOK_SECRET": key, "BUILDKITE": "true", "BUILDKITE_BUILD_NUMBER": at}
                done = machine.run(call, sent, machine.project)
                assert done.code == 0, done.out
            assert "signature" in done.out
        finally:
            receiver.terminate()
        lines = receiver.stdout.read().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('["triage.failure", ')
    assert "profile-missing" in lines[0]


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.parent.name)
def test_snippets_stand_in_the_examples(page):
    files = [
        *page.parent.glob("*.yml"), *page.parent.glob(".gitlab-ci.yml"), *page.parent.glob("Jenkinsfile"),
        REPO / "examples/github/ci.yml",
    ]  # fmt: skip
    texts = [re.sub(r"[ \t]+#.*", "", file.read_text("utf-8")) for file in files]
    shown = [*blocks(page, "yaml"), *blocks(page, "groovy")]
    for block in shown:
        if "hooks:" in block or "cause: profile-invalid" in block:  # of another program, of another section
            continue
        assert any(re.sub(r"[ \t]+#.*", "", block).strip("\n") in text for text in texts), block


def test_comments_are_the_present_ones():
    done = subprocess.run(
        [sys.executable, "-m", "bench.ci_pages", "--check"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"old: {done.stdout}; python -m bench.ci_pages writes them. {done.stderr}"


@pytest.mark.parametrize("page", [*PAGES, SHARED], ids=lambda page: page.parent.name)
def test_links_lead_somewhere(page):
    assert page == SHARED or "(../README.md)" in page.read_text("utf-8")
    assert page == SHARED or f"(examples/{page.parent.name}/README.md)" in README.read_text("utf-8")
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        if path.startswith("https://"):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor[1:] in [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings]


def test_hooks_run_what_they_say(machine):
    hooks = {one["id"]: one for one in yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    (machine.project / "rules/tensorrt").mkdir(parents=True)
    rule = machine.project / "rules/tensorrt/profile-name-unknown.yaml"
    rule.write_text(next(block for block in blocks(README, "yaml") if "cause: profile-invalid" in block), "utf-8")
    proof = " ".join([hooks["triage-rules-test"]["entry"], *hooks["triage-rules-test"]["args"]])
    assert machine.run(proof, machine.env, machine.project).code == 0
    rule.write_text(rule.read_text("utf-8").replace("match:", "match: nothing like it #"), encoding="utf-8")
    assert machine.run(proof, machine.env, machine.project).code != 0
    assert re.search(hooks["triage-rules-test"]["files"], str(rule.relative_to(machine.project)))

    (example,) = [block for block in blocks(REPO / "examples/shell/README.md", "yaml") if "hooks:" in block]
    used = {one["id"]: one for one in yaml.safe_load(example)["repos"][0]["hooks"]}
    assert used.keys() <= hooks.keys()
    push = " ".join([hooks["triage-run"]["entry"], *used["triage-run"]["args"]])
    done = machine.run(push, machine.env, machine.project)
    assert done.code == 1
    assert "profile-missing" in done.out
