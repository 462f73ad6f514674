"""``triage fix`` as people use it: the screen, what is left behind, --apply, interrupts, and the archive."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jsonschema
import pytest
from broken import broken_build, tree

from triage.cli import main
from triage.schemas.remediation import SCHEMA


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A broken build of its own, and an archive of its own."""
    pytest.importorskip("onnx")
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "project"
    broken_build(folder)
    monkeypatch.chdir(folder)
    return folder


def left(tmp_path):
    (name,) = os.listdir(tmp_path / "data" / "fixes")
    return tmp_path / "data" / "fixes" / name


def test_the_plain_path_fits_on_one_screen(build, capsys, tmp_path):
    before = tree(build)
    assert main(["fix", "recipe.toml"]) == 0
    shown = capsys.readouterr()
    assert tree(build) == before, "the user's folder is as it was"
    lines = shown.out.splitlines()
    assert len(lines) <= 40
    assert "model-invalid" in lines[0]
    assert any("CURED AND PROVEN" in line for line in lines)
    assert f"triage fix --apply {left(tmp_path)}" in shown.out
    assert "fails: model-invalid" in shown.err


def test_json_follows_the_published_schema(build, capsys):
    assert main(["fix", "recipe.toml", "--format", "json", "--quiet"]) == 0
    shown = capsys.readouterr()
    body = json.loads(shown.out)
    jsonschema.validate(body, SCHEMA)
    assert (body["status"], body["verified"]) == ("cured", True)
    assert not shown.err


@pytest.mark.parametrize("name", ["text", "json", "jsonl", "markdown"])
def test_every_format_draws_every_outcome(name, build, capsys):
    for words, code in ((["recipe.toml"], 0), (["--", "python", "-c", "raise ValueError('boom')"], 6)):
        assert main(["fix", "--format", name, "--quiet", *words]) == code
        assert len(capsys.readouterr().out) > 50


def test_what_is_left_behind_works_without_triage(build, tmp_path, capsys):
    assert main(["fix", "recipe.toml"]) == 0
    folder = left(tmp_path)
    assert {"changes.diff", "reproduce.sh", "parameters.json", "logs", "files", "report.txt", "report.json",
            "report.md", "report.jsonl"} <= set(os.listdir(folder))  # fmt: skip
    assert not (folder / ".work").exists()
    assert {"00-build.log", "01-build.log", "01-verify.log"} <= set(os.listdir(folder / "logs"))
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ran = subprocess.run(
        ["sh", str(folder / "reproduce.sh")], env=clean, capture_output=True, text=True, check=False, cwd="/"
    )
    assert ran.returncode == 0, ran.stderr
    assert "its check passes" in ran.stdout
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(build, elsewhere)
    shutil.rmtree(build)
    ran = subprocess.run(
        ["sh", str(folder / "reproduce.sh"), str(elsewhere)], env=clean, capture_output=True, check=False, cwd="/"
    )
    assert ran.returncode == 0, "it takes another copy of the build"


def test_doing_it_again_from_the_parameters_gives_the_same(build, tmp_path, capsys):
    assert main(["fix", "recipe.toml", "--format", "json", "--output", str(tmp_path / "one")]) == 0
    one = json.loads(capsys.readouterr().out)
    parameters = str(tmp_path / "one" / "parameters.json")
    assert main(["fix", parameters, "--format", "json", "--output", str(tmp_path / "two")]) == 0
    two = json.loads(capsys.readouterr().out)
    for key in ("status", "verified", "changes", "command", "path"):
        assert one[key] == two[key]
    assert (tmp_path / "one" / "files" / "model.onnx").read_bytes() == (
        tmp_path / "two" / "files" / "model.onnx"
    ).read_bytes()


def test_apply_changes_the_folder_and_keeps_what_stood_there(build, tmp_path, capsys):
    broken = (build / "model.onnx").read_bytes()
    assert main(["fix", "recipe.toml", "--apply"]) == 0
    shown = capsys.readouterr()
    assert "Change" in shown.out
    assert "model.onnx" in shown.err
    assert (build / "model.onnx").read_bytes() != broken
    assert (left(tmp_path) / "before" / "model.onnx").read_bytes() == broken
    ran = subprocess.run([sys.executable, "gate.py"], cwd=build, check=False, capture_output=True)
    assert ran.returncode == 0


def test_apply_of_an_earlier_repair(build, tmp_path, capsys):
    assert main(["fix", "recipe.toml", "--output", str(tmp_path / "out")]) == 0
    assert main(["fix", "--apply", str(tmp_path / "out")]) == 0
    ran = subprocess.run([sys.executable, "gate.py"], cwd=build, check=False, capture_output=True)
    assert ran.returncode == 0


def test_apply_refuses_where_the_files_changed_since(build, tmp_path, capsys):
    assert main(["fix", "recipe.toml", "--output", str(tmp_path / "out")]) == 0
    (build / "model.onnx").write_bytes(b"somebody's work")
    assert main(["fix", "--apply", str(tmp_path / "out")]) == 2
    assert "was changed since" in capsys.readouterr().err
    assert (build / "model.onnx").read_bytes() == b"somebody's work"


WRONG = {
    "nothing": ([], "name the build to repair"),
    "no recipe": (["missing.toml"], "missing.toml does not exist"),
    "bad recipe": (["bad.toml"], "build.comand is unknown; did you mean command?"),
    "both": (["recipe.toml", "--apply", "--dry-run"], "choose one"),
    "target": (["model.onnx", "--target", "tensorflow"], "no backend is called 'tensorflow'"),
    "no target": (["model.onnx"], "say what model.onnx is built for"),
    "attempts": (["recipe.toml", "--attempts", "0"], "--attempts must be greater than 0"),
    "output": (["recipe.toml", "--output", "."], "own folder"),
    "no cure": (["--apply", "sub"], "parameters.json does not exist"),
    "format": (["recipe.toml", "--format", "sarifx"], "no report is called 'sarifx'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_use_is_said_with_what_to_do(kind, build, capsys):
    (build / "bad.toml").write_text('[build]\ncomand = ["x"]\ncommand = ["python"]\ntimeout = "long"\n')
    (build / "sub").mkdir()
    words, said = WRONG[kind]
    assert main(["fix", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_archive_keeps_every_attempt_and_tries_what_worked_first(build, capsys):
    assert main(["fix", "recipe.toml", "--format", "json"]) == 0
    incident = json.loads(capsys.readouterr().out)["incident"]
    assert main(["archive", "show", incident]) == 0
    assert "cured and proven: sort_graph" in capsys.readouterr().out
    from sqlalchemy import select

    from triage.archive.tables import Attempt
    from triage.service.filing import open_archive
    from triage.service.fixing import _worked

    with open_archive() as archive, archive.read() as connection:
        rows = connection.execute(select(Attempt.fix, Attempt.result, Attempt.signature_before)).all()
    assert [(row.fix, row.result) for row in rows] == [("sort_graph", "cured")]
    assert list(_worked(rows[0].signature_before)) == ["sort_graph"]
    assert not _worked("0" * 16)


def test_a_broken_archive_does_not_stop_a_repair(build, capsys, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", "sqlite:////proc/nowhere/archive.db")
    assert main(["fix", "recipe.toml"]) == 0
    assert "not filed" in capsys.readouterr().err


SLOW = "import time\nprint('Traceback', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_everything_as_it_was_and_says_what_was_tried(number, build, tmp_path):
    (build / "gate.py").write_text(SLOW)
    before = tree(build)
    process = subprocess.Popen([sys.executable, "-m", "triage", "fix", "recipe.toml"], cwd=build, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    _wait_for(lambda: list(tmp_path.glob("data/fixes/*/.work/logs/00-build.log")))
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "INTERRUPTED" in out
    assert tree(build) == before
    assert not list(tmp_path.glob("data/fixes/*/.work"))


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.4, 0.8])
def test_killed_at_any_time_the_users_folder_is_as_it_was(delay, build, tmp_path):
    before = tree(build)
    process = subprocess.Popen([sys.executable, "-m", "triage", "fix", "recipe.toml"], cwd=build,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    _wait_for(lambda: list(tmp_path.glob("data/fixes/*/.work")) or process.poll() is not None)
    time.sleep(delay)
    process.kill()
    process.wait()
    assert tree(build) == before
    assert main(["fix", "recipe.toml", "--quiet"]) == 0, "the next repair is not disturbed by what was left"
    assert tree(build) == before
    assert not list(tmp_path.glob("data/fixes/*/.work")), "and clears it away"


def _wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for 20 s"
        time.sleep(0.01)


def test_the_check_is_protected_and_what_it_checks_may_be_repaired(tmp_path):
    from triage.recipe import read_recipe

    (tmp_path / "work" / "x").mkdir(parents=True)
    for name in ("reference.npz", "model.onnx", "build.py"):
        (tmp_path / name).write_text("x")
    (tmp_path / "verify.py").write_text("open('work/x'); open('reference.npz'); open('model.onnx')")
    (tmp_path / "recipe.toml").write_text(
        '[build]\ncommand = ["python", "build.py"]\nfiles = ["work/", "model.onnx", "verify.py"]\n'
        '[verify]\ncommand = ["python", "verify.py", "work/x", "model.onnx"]\n'
    )
    assert read_recipe(str(tmp_path / "recipe.toml")).protected == ("verify.py", "reference.npz")


EXPORT = '    torch.onnx.export(net.eval(), (images, masks), "build/detector.onnx", input_names=["image", "mask"], {})'


def drawn(gone, come, width, around=()):
    """The lines of a change on the screen of a repair."""
    from triage.remedy import Change, Recipe, Remediation
    from triage.reports.text import repair

    lines = ["--- a/x.py", "+++ b/x.py", "@@ -1 +1 @@", *around, *(f"-{each}" for each in gone),
             *(f"+{each}" for each in come)]  # fmt: skip
    change = Change("x.py", "modified", "\n".join(lines) + "\n")
    recipe = Recipe("made", "/build", ("python", "x.py"), ("x.py",))
    shown = repair(Remediation(recipe, "not-cured", None, "", (), (), (change,), ("python", "x.py"), None), None, False,
                   width).splitlines()  # fmt: skip
    return shown[shown.index("Change") + 4 :]


@pytest.mark.parametrize("width", [20, 60, 80, 100, 120])
def test_what_changed_far_to_the_right_of_a_line_is_seen(width):
    old, new = EXPORT.format("opset_version=11"), EXPORT.format("opset_version=17, dynamo=False")
    for gone, come in (([old], [new]), ([old], ["# as the runtime asks", new]), ([old, old], [new, new])):
        shown = drawn(gone, come, width)
        assert [("11" in line, "17" in line) for line in shown if "#" not in line] == (
            [(True, False)] * len(gone) + [(False, True)] * len(gone)
        )
        assert all(len(line) <= max(width, 42) for line in shown)
        assert all(line[2:4] in ("-…", "+…") for line in shown if "#" not in line)


def test_lines_of_a_change_that_need_no_window_stay_as_they_are():
    far = "x" * 300
    assert drawn(["a = 1"], ["a = 2"], 80) == ["  -a = 1", "  +a = 2"]
    assert drawn([], [far], 80) == ["  +" + "x" * 76 + "…"], "a new line has no partner"
    assert drawn(["a = 1" + far], ["a = 2" + far], 80) == [f"  {s}a = {n}{'x' * 71}…" for s, n in ("-1", "+2")]
    assert drawn(["b"], ["c"], 80, [" " + far])[0] == "   " + "x" * 76 + "…"
    assert drawn([far + "11" + far], [far + "17" + far], 80) == [
        f"  {sign}…{'x' * 18}1{n}{'x' * 55}…" for sign, n in ("-1", "+7")
    ]
