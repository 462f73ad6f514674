"""The commands as a person types them: help, exit codes, output, suggestions."""

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import MESSAGES, PROFILE_MISSING, RULES, run_cli

from triage import __version__, discovery
from triage.cli import main
from triage.cli._arguments import parse

COMMANDS = discovery.names("triage.cli")
FORMATS = discovery.names("triage.reports")
QUIET = "all is well\n"


@pytest.fixture
def logs(tmp_path):
    """A failing, an unknown and a successful log, by name."""
    texts = {"named": PROFILE_MISSING, "unknown": unknown_log(), "quiet": QUIET}
    paths = {}
    for name, text in texts.items():
        paths[name] = str(tmp_path / f"{name}.log")
        with open(paths[name], "w", encoding="utf-8") as stream:
            stream.write(text)
    return paths


def unknown_log():
    """A failure that no rule explains."""
    return 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nzork.ZorkError: zork\n'


def call(capsys, *arguments):
    """Runs the program in this process: (exit code, output, errors)."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


# --- help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example(capsys, command):
    code, out, err = call(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert "example:" in out
    assert f"triage {command}" in out.partition("example:")[2]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(capsys, arguments):
    code, out, _ = call(capsys, *arguments)
    assert code == (0 if arguments else 2)
    assert [command for command in COMMANDS if f"triage {command}" not in out] == []
    assert "Exit codes" in out


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(capsys, flag):
    assert call(capsys, flag) == (0, f"triage {__version__}\n", "")


@pytest.mark.parametrize("action", ["list", "show", "test"])
def test_actions_of_rules_have_help(capsys, action):
    code, out, _ = call(capsys, "rules", action, "--help")
    assert code == 0
    assert f"rules {action}" in out


# --- exit codes


@pytest.mark.parametrize(
    ("policy", "name", "code"),
    [
        ("never", "named", 0),
        ("never", "unknown", 0),
        ("never", "quiet", 0),
        ("failure", "named", 1),
        ("failure", "unknown", 1),
        ("failure", "quiet", 0),
        ("unknown", "unknown", 4),
        ("unknown", "quiet", 0),
    ],
)
def test_fail_on(capsys, logs, policy, name, code):
    assert call(capsys, "diagnose", "--fail-on", policy, logs[name])[0] == code


def test_the_default_never_fails(capsys, logs):
    assert call(capsys, "diagnose", logs["named"])[0] == 0


def test_the_order_of_the_inputs_does_not_change_the_exit_code(capsys, logs):
    codes = {
        call(capsys, "diagnose", "--fail-on", "unknown", *order)[0]
        for order in ([logs["named"], logs["unknown"]], [logs["unknown"], logs["named"]])
    }
    assert codes == {4}


@pytest.mark.parametrize("order", [1, -1])
def test_a_bad_input_is_stronger_than_fail_on(capsys, logs, order):
    inputs = [logs["named"], logs["named"] + ".missing"][::order]
    code, out, err = call(capsys, "diagnose", "--fail-on", "failure", *inputs)
    assert code == 2
    assert "profile-missing" in out
    assert "does not exist" in err


def test_wrong_flags_are_wrong_use(capsys, logs):
    for arguments in (["--no-such"], ["--fail-on", "always"], ["--color", "pink"], ["--jobs", "many"]):
        code, out, err = call(capsys, "diagnose", *arguments, logs["named"])
        assert (code, out) == (2, "")
        assert "usage:" in err


# --- unknown names


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["diagnos"], "diagnose"),
        (["diagnose", "--format", "jsn", "LOG"], "json"),
        (["diagnose", "--stage", "buidl", "LOG"], "build"),
        (["explain", "profile-mising"], "profile-missing"),
        (["rules", "show", "tensorrt/profile-mising"], "tensorrt/"),
        (["rules", "list", "--cause", "profile-mising"], "profile-missing"),
        (["causes", "--group", "biuld"], "build"),
        (["schema", "reports"], "report"),
    ],
)
def test_an_unknown_name_is_answered_with_a_suggestion(capsys, logs, arguments, suggestion):
    code, out, err = call(capsys, *[logs["named"] if a == "LOG" else a for a in arguments])
    assert (code, out) == (2, "")
    assert re.search(rf"Did you mean .*{suggestion}", err)


def test_a_log_in_place_of_a_command(capsys, logs):
    code, _, err = call(capsys, logs["named"])
    assert code == 2
    assert f"triage diagnose {logs['named']}" in err


@pytest.mark.parametrize("arguments", [["_output"], ["--init--"], ["diagnose", "--format", "_shape", "LOG"]])
def test_helper_modules_are_no_commands_or_formats(capsys, logs, arguments):
    code, _, err = call(capsys, *[logs["named"] if a == "LOG" else a for a in arguments])
    assert code == 2
    assert "is called" in err


# --- output


def test_output_goes_to_a_file(capsys, logs, tmp_path):
    target = tmp_path / "report.txt"
    assert call(capsys, "diagnose", "--output", target, logs["named"]) == (0, "", "")
    assert "profile-missing" in target.read_text(encoding="utf-8")
    assert sorted(p.name for p in tmp_path.iterdir() if "tmp" in p.name) == []


def test_an_existing_file_is_replaced_only_with_force(capsys, logs, tmp_path):
    target = tmp_path / "report.txt"
    target.write_text("precious", encoding="utf-8")
    code, _, err = call(capsys, "diagnose", "--output", target, logs["named"])
    assert code == 2
    assert "--force" in err
    assert target.read_text(encoding="utf-8") == "precious"
    assert call(capsys, "diagnose", "--output", target, "--force", logs["named"])[0] == 0
    assert "profile-missing" in target.read_text(encoding="utf-8")


def test_a_failure_leaves_the_old_file(capsys, tmp_path):
    target = tmp_path / "report.txt"
    target.write_text("precious", encoding="utf-8")
    assert call(capsys, "diagnose", "--output", target, "--force", tmp_path / "missing.log")[0] == 2
    assert target.read_text(encoding="utf-8") == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["report.txt"]


def test_an_output_that_cannot_be_written(capsys, logs, tmp_path):
    code, _, err = call(capsys, "diagnose", "--output", tmp_path / "no" / "report.txt", logs["named"])
    assert code == 2
    assert "cannot be written" in err


def test_an_output_that_is_a_folder_leaves_nothing_behind(capsys, logs, tmp_path):
    (tmp_path / "folder").mkdir()
    code, _, err = call(capsys, "diagnose", "--output", tmp_path / "folder", "--force", logs["named"])
    assert (code, "cannot be written" in err) == (2, True)
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []


def test_colour(capsys, logs, monkeypatch):
    def coloured(*arguments):
        return "\x1b[" in call(capsys, "diagnose", *arguments, logs["named"])[1]

    assert not coloured()
    assert coloured("--color", "always")
    assert not coloured("--color", "never")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert coloured()
    assert not coloured("--color", "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured()
    assert coloured("--color=always")


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_other_formats_are_never_coloured(capsys, logs, form):
    assert "\x1b" not in call(capsys, "diagnose", "--color", "always", "--format", form, logs["named"])[1]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_the_cause(capsys, logs, form):
    assert "profile-missing" in call(capsys, "diagnose", "--format", form, logs["named"])[1]


# --- JSON


@pytest.fixture(scope="module")
def validator():
    done = run_cli("schema", "report")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", ["named", "unknown", "quiet"])
def test_json_follows_the_published_schema(capsys, logs, validator, name):
    _, out, _ = call(capsys, "diagnose", "--format", "json", logs[name])
    report = json.loads(out)
    validator.validate(report)
    assert report["source"] == logs[name]
    assert report["verdict"] == {"quiet": "no-failure"}.get(name, name)


def test_every_message_gives_valid_json(capsys, tmp_path, validator):
    for number, (cause, message) in enumerate(MESSAGES):
        path = tmp_path / f"{number}.log"
        path.write_text(message, encoding="utf-8")
        report = json.loads(call(capsys, "diagnose", "--format", "json", path)[1])
        validator.validate(report)
        assert report["incidents"][0]["causes"][0]["id"] == cause


def test_the_schema_refuses_what_is_no_report(validator):
    assert not validator.is_valid({"schema": "triage.report/1"})
    assert not validator.is_valid({"schema": "triage.report/2"})


def test_several_inputs_make_a_list(capsys, logs):
    _, out, _ = call(capsys, "diagnose", "--format", "json", *logs.values())
    assert [report["source"] for report in json.loads(out)] == list(logs.values())


def test_jsonl_is_one_line_an_input_in_order(capsys, logs):
    order = [logs["quiet"], logs["named"], logs["unknown"], logs["named"]]
    _, out, _ = call(capsys, "diagnose", "--format", "jsonl", *order)
    assert [json.loads(line)["source"] for line in out.splitlines()] == order


def test_json_of_lists(capsys):
    assert len(json.loads(call(capsys, "causes", "--format", "json")[1])) > 100
    assert len(json.loads(call(capsys, "rules", "list", "--format", "json")[1])) > 500
    assert json.loads(call(capsys, "explain", "profile-missing", "--format", "json")[1])["id"] == "profile-missing"
    assert all(row["ok"] is not False for row in json.loads(call(capsys, "doctor", "--format", "json")[1]))


# --- many inputs


@pytest.mark.parametrize("form", ["jsonl", "json", "text"])
def test_many_inputs_give_what_single_ones_give(tmp_path, form):
    """From 48 inputs on processes share the work."""
    paths = []
    for number in range(70):
        paths.append(str(tmp_path / f"{number:03}.log"))
        with open(paths[-1], "w", encoding="utf-8") as stream:
            stream.write("noise\n" * number + MESSAGES[number % len(MESSAGES)][1] + "\n")
    alike = ("diagnose", "--no-archive", "--format", form)  # what an archive knows grows from log to log
    together = run_cli(*alike, "--jobs", "3", *paths)
    one_process = run_cli(*alike, "--jobs", "1", *paths)
    assert (together.returncode, together.stderr) == (0, b"")
    assert together.stdout == one_process.stdout
    if form == "jsonl":
        assert [json.loads(line)["source"] for line in together.stdout.splitlines()] == paths
        halves = [run_cli(*alike, *part).stdout for part in (paths[:40], paths[40:])]
        assert b"".join(halves) == together.stdout


def test_a_bad_input_among_many(tmp_path):
    good = tmp_path / "good.log"
    good.write_text(PROFILE_MISSING, encoding="utf-8")
    paths = [*[good] * 30, tmp_path / "missing.log", *[good] * 30]
    done = run_cli("diagnose", "--format", "jsonl", "--jobs", "2", *paths)
    assert done.returncode == 2
    assert done.stdout.count(b"\n") == 60
    assert done.stderr.count(b"does not exist") == 1


# --- pipes


def into_closed_pipe(*arguments):
    """Runs the program with an output that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "triage", *arguments], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("size", ["one", "many"])
def test_a_closed_pipe_is_no_error(logs, size):
    inputs = [logs["named"]] * (1 if size == "one" else 40)
    done = into_closed_pipe("diagnose", *inputs)
    assert done.stderr == b""
    assert done.returncode == 0


def test_head_ends_the_program_in_silence(logs):
    command = f'"{sys.executable}" -m triage diagnose {" ".join([logs["named"]] * 45)} | head -n 1'
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    ("form", "encoding"),
    [
        ("json", "ascii"),
        ("jsonl", "cp1252"),
        ("markdown", "cp1252"),
        pytest.param("markdown", "ascii"),
        pytest.param("text", "ascii"),
        pytest.param("text", "cp1252"),
    ],
)
def test_an_output_that_knows_few_letters(logs, form, encoding):
    done = run_cli("diagnose", "--format", form, logs["named"], env={"PYTHONIOENCODING": encoding})
    assert b"broke on its own" not in done.stderr
    assert done.returncode == 0
    assert b"profile-missing" in done.stdout


# --- the other commands


def test_explain_shows_the_article(capsys):
    code, out, _ = call(capsys, "explain", "profile-missing")
    assert code == 0
    assert "## What it means" in out
    assert "## How to cure" in out


def test_causes_can_be_searched(capsys):
    _, out, _ = call(capsys, "causes", "profile", "--group", "build")
    assert "profile-missing" in out
    assert "gpu-out-of-memory" not in out
    assert "no cause mentions 'zork'" in call(capsys, "causes", "zork")[1]


def test_rules_show_prints_the_file(capsys):
    rule = min(RULES.rglob("*.yaml"))
    rule_id = rule.relative_to(RULES).with_suffix("").as_posix()
    assert call(capsys, "rules", "show", rule_id)[1] == rule.read_text(encoding="utf-8")


def test_rules_list_filters(capsys):
    _, out, _ = call(capsys, "rules", "list", "--cause", "profile-missing", "--format", "json")
    rows = json.loads(out)
    assert rows
    assert {row["cause"] for row in rows if row["says"] == "cause"} <= {"profile-missing", *[r["cause"] for r in rows]}
    _, out, _ = call(capsys, "rules", "list", "--tool", "triton", "--format", "json")
    assert {row["tool"] for row in json.loads(out)} == {"triton"}


def test_rules_of_a_folder_are_tested(tmp_path):
    (tmp_path / "tensorrt").mkdir()
    good = "cause: profile-missing\ntool: tensorrt\nmatch: 'alpha beta'\nhits: ['alpha beta']\nmisses: ['alpha']\n"
    (tmp_path / "tensorrt" / "a.yaml").write_text(good, encoding="utf-8")
    environment = {"TRIAGE_CACHE_DIR": str(tmp_path / "cache")}
    done = run_cli("rules", "test", tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (0, b"1 rules, 0 faults\n")
    (tmp_path / "tensorrt" / "b.yaml").write_text(good.replace("alpha beta'\nhits", "gamma'\nhits"), encoding="utf-8")
    done = run_cli("rules", "test", tmp_path, env=environment)
    assert done.returncode != 0
    assert b"b.yaml" in done.stderr
    assert b"Traceback" not in done.stderr


def test_model_and_stage_from_the_command_line(capsys, logs):
    _, out, _ = call(capsys, "diagnose", "--format", "json", "--model", "vit.onnx", "--stage", "serve", logs["named"])
    incident = json.loads(out)["incidents"][0]
    assert (incident["model"], incident["stage"]) == ("vit.onnx", "serve")


def test_debug_shows_where_triage_broke():
    assert b"Traceback" in run_cli("--debug", "explain", "zork").stderr
    assert b"Traceback" in run_cli("explain", "zork", env={"TRIAGE_DEBUG": "1"}).stderr
    assert b"Traceback" not in run_cli("explain", "zork").stderr


# --- arguments are understood as argparse understands them

WORDS = st.sampled_from([
    "--format", "--format=json", "--output", "--output=", "--force", "--quiet", "--color", "--color=never", "always",
    "json", "--fail-on", "--fail-on=failure", "never", "--jobs", "--jobs=2", "3", "-1", "x.log", "-", "--", "--forc",
    "--model", "--stage", "build", "", "--no-archive", "--force=1", "-h", "-x", "--unknown", "a b", "--model=a=b",
])  # fmt: skip


def understood(how):
    """The values that a parser gives, or its exit code."""
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            return vars(how())
    except SystemExit as stop:
        return stop.code


def compare(command, words):
    """Files may stand on both sides of an option; all else is as argparse says."""
    module = discovery.load("triage.cli", command)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    ours = understood(lambda: parse(module.add_arguments, words, lambda: argparse.ArgumentParser(allow_abbrev=False)))
    module.add_arguments(parser)
    theirs = understood(lambda: parser.parse_args(words))
    if isinstance(ours, dict) and not isinstance(theirs, dict):
        theirs = understood(lambda: parser.parse_intermixed_args(words))
    assert ours == theirs


@given(st.lists(WORDS, max_size=6))
def test_arguments_of_diagnose_mean_what_argparse_says(words):
    compare("diagnose", words)


@given(st.sampled_from(["explain", "causes", "schema", "doctor"]), st.lists(WORDS, max_size=4))
def test_arguments_of_other_commands_mean_what_argparse_says(command, words):
    compare(command, words)
