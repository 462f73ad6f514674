"""Taking back what ``triage fix --apply`` put into a folder: all of it or nothing, by function and by command."""

import json
import os
import signal

import pytest
from broken import tree
from support import killed_at

from triage.cli import main
from triage.errors import UsageError
from triage.remediate.leave import SCHEMA, apply_left
from triage.remediate.taking_back import applied, stands, take_back
from triage.workspace import digest

OLD = {"keep.txt": b"kept", "a.py": b"old a\n", "sub/gone.bin": b"\0old", "run.sh": b"#!/bin/sh\n"}
NEW = {"a.py": b"new a\n", "deep/made.txt": b"made", "run.sh": b"#!/bin/sh\necho\n"}


def fill(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@pytest.fixture
def left(tmp_path):
    """A user's folder, and what a repair of it left behind: changes, an addition, a removal."""
    home, folder = tmp_path / "project", tmp_path / "left"
    fill(home, OLD)
    (home / "run.sh").chmod(0o755)
    fill(folder / "files", NEW)
    before = {path: digest(str(home / path)) for path in OLD}
    files = [{"path": path, "new": True, "before": before.get(path)} for path in NEW]
    files.append({"path": "sub/gone.bin", "new": False, "before": before["sub/gone.bin"]})
    recipe = {"name": "made", "folder": str(home), "command": ["sh", "run.sh"], "files": ["a.py"]}
    body = {"schema": SCHEMA, "status": "cured", "why": "", "recipe": recipe, "steps": [], "files": files}
    (folder / "parameters.json").write_text(json.dumps(body))
    return home, folder


def seen(folder):
    """Names, contents, modes and times, without what a new file must have of its own."""
    return {path: entry[:3] for path, entry in tree(folder).items() if os.path.isfile(folder / path)}


def test_what_stood_there_stands_there_again(left):
    home, folder = left
    before = seen(home)
    apply_left(str(folder))
    assert (home / "a.py").read_bytes() == b"new a\n"
    assert stands(str(folder))
    assert take_back(str(folder)) == (str(home), ["a.py", "deep/made.txt", "run.sh", "sub/gone.bin"])
    assert seen(home) == before
    assert not (home / "deep").exists()
    assert not (home / ".triage").exists()
    assert not stands(str(folder))


def test_it_can_be_applied_and_taken_back_again_and_again(left):
    home, folder = left
    before = seen(home)
    for _ in range(2):
        apply_left(str(folder))
        take_back(str(folder))
    assert seen(home) == before
    with pytest.raises(UsageError, match=r"nothing of .* is applied"):
        take_back(str(folder))


def test_applying_twice_is_refused_and_loses_nothing(left):
    home, folder = left
    before = seen(home)
    apply_left(str(folder))
    with pytest.raises(UsageError, match="is applied already; triage fix --undo"):
        apply_left(str(folder))
    take_back(str(folder))
    assert seen(home) == before


def test_a_cure_that_was_undone_by_hand_can_be_applied_again(left):
    home, folder = left
    apply_left(str(folder))
    fill(home, OLD)
    (home / "deep" / "made.txt").unlink()
    apply_left(str(folder))
    assert (home / "a.py").read_bytes() == b"new a\n"


@pytest.mark.parametrize("path", ["a.py", "deep/made.txt", "sub/gone.bin"])
def test_later_work_is_not_overwritten(path, left):
    home, folder = left
    apply_left(str(folder))
    fill(home, {path: b"somebody's work"})
    now = seen(home)
    with pytest.raises(UsageError, match=r"nothing was changed: .* since\. The cure stays"):
        take_back(str(folder))
    assert seen(home) == now


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_what_was_kept_must_be_what_stood_there(damage, left):
    home, folder = left
    apply_left(str(folder))
    kept = folder / "before" / "a.py"
    kept.unlink() if damage == "missing" else kept.write_bytes(b"?")
    now = seen(home)
    with pytest.raises(UsageError, match="does not hold what stood there before"):
        take_back(str(folder))
    assert seen(home) == now


def test_a_refused_apply_keeps_nothing_wrong(left):
    home, folder = left
    fill(home, {"a.py": b"for a while"})
    with pytest.raises(UsageError, match=r"a\.py was changed since"):
        apply_left(str(folder))
    assert applied(str(folder)) is None
    fill(home, OLD)
    apply_left(str(folder))
    take_back(str(folder))
    assert (home / "a.py").read_bytes() == b"old a\n"


def test_power_may_go_at_any_moment_of_taking_back(left):
    """Killed before each single step: asked again, it ends as it should."""
    home, folder = left
    before = {path: digest(str(home / path)) for path in OLD}
    for stop in range(1, 100):
        apply_left(str(folder))
        ran = killed_at(stop, "from triage.remediate.taking_back import take_back", f"take_back({str(folder)!r})")
        if applied(str(folder)):
            take_back(str(folder))
        found = {os.path.relpath(os.path.join(base, name), home) for base, _, names in os.walk(home) for name in names}
        assert {path: digest(str(home / path)) for path in found} == before, f"crash at step {stop}"
        if ran.returncode == 0:
            break
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert stop > 10, "the crash was not tried at many steps"


def test_the_command_takes_it_back_and_says_what_it_did(left, capsys):
    home, folder = left
    before = seen(home)
    assert main(["fix", "--apply", str(folder)]) == 0
    assert main(["fix", "--undo", str(folder)]) == 0
    assert f"as before in {home}: a.py" in capsys.readouterr().err
    assert seen(home) == before
    assert main(["fix", "--undo", str(folder)]) == 2
    assert "nothing to take back" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--undo"], ["--undo", "--apply", "x"], ["--undo", "a", "b"], ["--undo", "/nowhere"]]
)
def test_wrong_use_is_said(words, capsys):
    assert main(["fix", "--undo", *words]) == 2
    assert "triage: " in capsys.readouterr().err


def test_the_help_tells_of_it(capsys):
    with pytest.raises(SystemExit):
        main(["fix", "--help"])
    assert "--undo" in capsys.readouterr().out
