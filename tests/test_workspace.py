"""Copies of a build: what they hold, what they share, and that nothing of the user's is ever reached."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import killed_at

from triage.errors import UsageError
from triage.workspace import Workspace, copy_of, digest, walk
from triage.workspace.apply import Operation, apply, recover


def tree(folder):
    """Everything that can be seen of a folder: names, content, modes, times, links."""
    found = {}
    for base, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(base, name)
            told = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else digest(path) if os.path.isfile(path) else None
            found[os.path.relpath(path, folder)] = (content, told.st_mode, told.st_mtime_ns, told.st_ino)
    return found


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a.py").write_text("print('a')\n")
    (folder / "sub" / "b.bin").write_bytes(os.urandom(9 << 20))
    (folder / "link.py").symlink_to("a.py")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "env").mkdir()
    (folder / "env" / "pyvenv.cfg").write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "weights.bin").write_bytes(b"w")
    (folder / "weights").symlink_to(tmp_path / "outside")
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    return folder


def test_a_copy_holds_what_a_build_needs(project, tmp_path):
    before = tree(project)
    copy = copy_of(str(project), str(tmp_path / "copy"))
    assert sorted(walk(copy.root)) == ["a.py", "gone", "link.py", "run.sh", "sub/b.bin", "weights/weights.bin"]
    assert os.path.isdir(copy.path("sub/empty"))
    assert os.access(copy.path("run.sh"), os.X_OK)
    assert os.readlink(copy.path("link.py")) == "a.py"
    assert not os.path.islink(copy.path("weights")), "a link that leads out becomes what it shows"
    assert tree(project) == before


def test_copies_have_files_of_their_own(project, tmp_path):
    base = copy_of(str(project), str(tmp_path / "base"))
    fork = base.fork(str(tmp_path / "fork"))
    for path in ("a.py", "sub/b.bin"):
        assert os.stat(base.path(path)).st_nlink == os.stat(fork.path(path)).st_nlink == 1
    kept = digest(base.path("sub/b.bin"))
    with open(fork.path("sub/b.bin"), "r+b") as stream:
        stream.write(b"changed")
    assert digest(base.path("sub/b.bin")) == kept


def test_a_read_only_folder_can_be_copied_and_its_copy_changed(project, tmp_path):
    for path in ("a.py", "sub/b.bin"):
        (project / path).chmod(0o400)
    copy = copy_of(str(project), str(tmp_path / "copy"))
    with open(copy.path("a.py"), "w", encoding="utf-8") as stream:
        stream.write("x")
    assert (project / "a.py").read_text() == "print('a')\n"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "sub/../../x", ".."])
def test_no_path_leads_out_of_a_copy(path, project, tmp_path):
    copy = copy_of(str(project), str(tmp_path / "copy"))
    with pytest.raises(UsageError, match="leads out"):
        copy.path(path)


def test_too_little_disk_is_said_before_anything_is_copied(project, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=10, used=9, free=1))
    with pytest.raises(UsageError, match=r"GB are free.*--output"):
        copy_of(str(project), str(tmp_path / "copy"))
    assert os.listdir(tmp_path / "copy") == []


def test_two_copies_of_one_folder_have_the_same_files(project, tmp_path):
    one, two = (copy_of(str(project), str(tmp_path / name)) for name in ("one", "two"))
    assert {path: file.digest for path, file in one.files().items()} == {
        path: file.digest for path, file in two.files().items()
    }


# --- putting a cure into the user's folder


def operations(tmp_path, project, given):
    made = []
    for number, (path, content) in enumerate(given.items()):
        there = project / path
        source = tmp_path / f"new{number}"
        if content is not None:
            source.write_bytes(content)
        expected = digest(str(there)) if there.exists() else None
        made.append(Operation(path, None if content is None else str(source), expected))
    return made


CHANGES = {"a.py": b"new a\n", "new/deep/c.txt": b"c", "sub/b.bin": None, "run.sh": b"#!/bin/sh\necho\n"}


def test_a_cure_is_applied_as_a_whole(project, tmp_path):
    apply(str(project), operations(tmp_path, project, CHANGES))
    assert (project / "a.py").read_bytes() == b"new a\n"
    assert (project / "new/deep/c.txt").read_bytes() == b"c"
    assert not (project / "sub/b.bin").exists()
    assert os.access(project / "run.sh", os.X_OK), "the mode stays"
    assert not (project / ".triage").exists()


def test_a_file_that_changed_since_is_not_overwritten(project, tmp_path):
    made = operations(tmp_path, project, CHANGES)
    (project / "run.sh").write_text("somebody's work")
    before = tree(project)
    with pytest.raises(UsageError, match=r"nothing was changed: run\.sh was changed since"):
        apply(str(project), made)
    assert {path: seen for path, seen in tree(project).items() if path != ".triage"} == before


def test_power_may_go_at_any_moment(project, tmp_path):
    """Killed before each single step: after the next start the folder is as before, or wholly changed."""
    import shutil

    def content(folder):
        return {
            path: digest(os.path.join(folder, path))
            for path in walk(folder)
            if not os.path.islink(os.path.join(folder, path))
        }

    (project / "pipe").unlink()
    (project / "weights").unlink()
    old = content(project)
    made = operations(tmp_path, project, CHANGES)
    whole = tmp_path / "whole"
    shutil.copytree(project, whole, symlinks=True)
    apply(str(whole), made)
    new = content(whole)
    seen = set()
    for stop in range(1, 100):
        folder = tmp_path / f"try{stop}"
        shutil.copytree(project, folder, symlinks=True)
        ran = killed_at(stop, "from triage.workspace.apply import Operation, apply", f"apply({str(folder)!r}, {made})")
        recover(str(folder))
        assert not (folder / ".triage").exists()
        now = content(folder)
        assert now in (old, new), f"half a change after a crash at step {stop}"
        seen.add(now == new)
        if ran.returncode == 0:
            break
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert seen == {True, False}
    assert stop > 10, "the crash was not tried at many steps"


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "d/e", "d/f", "g/h/i"]), st.one_of(st.none(), st.binary(max_size=20)), min_size=1
    )
)
def test_any_set_of_changes_gives_exactly_these_files(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("any")
    project = folder / "project"
    (project / "d").mkdir(parents=True)
    for name in ("a", "d/e"):
        (project / name).write_bytes(b"old")
    wanted = {"a": b"old", "d/e": b"old", **changes}
    changes = {path: content for path, content in changes.items() if content is not None or (project / path).exists()}
    apply(str(project), operations(folder, project, changes))
    found = {path: (project / path).read_bytes() for path in walk(str(project))}
    assert found == {path: content for path, content in wanted.items() if content is not None}


# --- a build cannot reach the user's files


def test_a_build_that_writes_to_absolute_paths_cannot_reach_the_users_files(project, tmp_path):
    from triage.backends._child import run
    from triage.remedy import BuildSpec

    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    import ctypes

    if ctypes.CDLL(None).syscall(444, None, 0, 1) < 1:
        pytest.skip("this kernel has no Landlock")
    before = tree(project)
    work = tmp_path / "work"
    work.mkdir()
    code = f"rm -rf {project}/*; echo x > {project}/a.py; echo ok > here; chmod 000 {project}/a.py; cat {project}/a.py"
    result = run(BuildSpec(("sh", "-c", code), str(work), str(tmp_path / "log"), guarded=str(project)))
    changed = {path: seen[:1] + seen[2:] for path, seen in tree(project).items()}
    assert changed == {path: seen[:1] + seen[2:] for path, seen in before.items()}, (tmp_path / "log").read_text()
    assert (work / "here").read_text() == "ok\n"
    assert result.ended == "exit"
    os.chmod(project / "a.py", 0o644)


def test_a_killed_parent_leaves_no_build_running(project, tmp_path):
    code = f"""
from triage.backends._child import run
from triage.remedy import BuildSpec
run(BuildSpec(("sleep", "600"), {str(tmp_path)!r}, {str(tmp_path / "log")!r}, guarded={str(project)!r}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    import psutil

    deadline = time.monotonic() + 20
    children = []
    while not any("sleep" in child.name() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
        children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_a_workspace_says_where_it_comes_from(project, tmp_path):
    copy = copy_of(str(project), str(tmp_path / "copy"))
    assert isinstance(copy, Workspace)
    assert copy.origin == str(project)
