"""``triage run``: the build's own output and code; good runs are baselines, failed ones say what changed."""

import json
import signal
import sys

import pytest
from filing import rows
from support import PROFILE_MISSING, run_cli

from triage.archive.tables import Build, Incident

BUILD = """
import sys
version, fails = sys.argv[1:]
print("TensorRT version:", version)
print("reading the model")
if fails == "yes":
    print("a line that was never there before")
    sys.stderr.write({log!r} + "\\n")
    sys.exit(3)
print("done")
"""


@pytest.fixture
def build(tmp_path, archive_url):
    """Runs the same build script with a version, good or failing."""
    script = tmp_path / "build.py"
    script.write_text(BUILD.format(log=PROFILE_MISSING), encoding="utf-8")
    environment = {"TRIAGE_DATABASE_URL": archive_url}

    def run(version, fails, *options):
        command = [sys.executable, str(script), version, fails]
        return run_cli("run", "--model", "vit", *options, "--", *command, env=environment, cwd=tmp_path)

    return run


def test_a_good_run_is_passed_through_and_kept_as_the_baseline(build, archive):
    done = build("10.3.0", "no")
    assert (done.returncode, done.stdout) == (0, b"TensorRT version: 10.3.0\nreading the model\ndone\n")
    assert b"kept as the baseline of vit" in done.stderr
    assert rows(archive, Build, Build.outcome, Build.model, Build.exit_code) == [("passed", "vit", 0)]


def test_a_failed_run_says_what_changed_since_the_good_one(build, archive, tmp_path):
    build("10.3.0", "no")
    done = build("10.7.0", "yes", "--format", "json", "--report", "report.json", "--quiet")
    assert done.returncode == 3
    assert done.stdout == b"TensorRT version: 10.7.0\nreading the model\na line that was never there before\n"
    assert PROFILE_MISSING.encode() in done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["incidents"][0]["causes"][0]["id"] == "profile-missing"
    changed = report["changed"]
    assert changed["sentence"].startswith("Worked with TensorRT 10.3")
    assert "fails with 10.7" in changed["sentence"]
    assert {line["text"] for line in changed["new_lines"]} >= {"a line that was never there before"}
    assert ["tool", "tensorrt", "10.3.0", "10.7.0"] in [list(one.values()) for one in changed["differences"]]
    assert rows(archive, Incident, Incident.cause, Incident.model) == [("profile-missing", "vit")]


def test_the_text_report_has_the_same(build):
    build("10.3.0", "no")
    said = build("10.7.0", "yes").stderr.decode()
    assert said.count("NAMED  profile-missing") == 1
    assert said.index("NAMED") < said.index("What changed") < said.index("Similar incidents")


def test_every_run_is_a_build_of_its_own(build, archive):
    for _ in range(3):
        build("10.7.0", "yes", "--quiet")
    assert len(rows(archive, Incident)) == 3


def test_a_failing_line_of_a_good_run_is_said_and_makes_no_baseline(archive_url, archive):
    code = f"import sys; sys.stderr.write({PROFILE_MISSING!r} + chr(10))"
    done = run_cli("run", "--", sys.executable, "-c", code, env={"TRIAGE_DATABASE_URL": archive_url})
    assert done.returncode == 0
    assert b"the command succeeded, but line 1 says profile-missing; not kept as a baseline" in done.stderr
    assert rows(archive, Build, Build.outcome, Build.prints) == [("passed", None)]
    assert rows(archive, Incident) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -SEGV $$"], 128 + signal.SIGSEGV),
        (["a-program-that-is-not-there"], 127),
        ([sys.executable, "-c", "import sys; sys.exit('--debug' not in sys.argv)", "--debug"], 0),
    ],
)
def test_the_exit_code_is_the_commands_own(command, code, tmp_path):
    done = run_cli("run", "--no-archive", "--", *command, cwd=tmp_path)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_an_archive_that_is_not_there_changes_nothing_for_the_build():
    done = run_cli("run", "--", "sh", "-c", "echo out; exit 7", env={"TRIAGE_DATABASE_URL": "sqlite:////proc/x/a.db"})
    assert (done.returncode, done.stdout) == (7, b"out\n")
    assert b"not filed: no archive can be made" in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--"], ["--stage", "nonsense", "--", "true"], ["--format", "x", "--", "true"]]
)
def test_bad_use_is_refused_before_anything_runs(arguments):
    done = run_cli("run", *arguments)
    assert done.returncode == 2
    assert b"triage:" in done.stderr
