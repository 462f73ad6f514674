"""A child process within limits: whatever it does, a result comes back and nothing stays behind."""

import ctypes
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from triage.backends._child import MARK, run
from triage.remedy import BuildSpec, Limits

LANDLOCK = sys.platform.startswith("linux") and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1
guarding = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")


@pytest.fixture
def build(tmp_path):
    """Gives a function: Python source -> its run within limits, and what it printed."""
    folder = tmp_path / "build"
    folder.mkdir()

    def start(source, limits=None, *, guarded=None, command=None, environment=None, watch=lambda _: True):
        (folder / "program.py").write_text(textwrap.dedent(source))
        spec = BuildSpec(
            tuple(command or (sys.executable, "program.py")), str(folder), str(tmp_path / "logs" / "build.log"),
            limits or Limits(seconds=60), environment or {}, guarded,
        )  # fmt: skip
        result = run(spec, watch)
        return result, (tmp_path / "logs" / "build.log").read_text(errors="replace")

    return start


def marked():
    """Processes that some build started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_good_run_keeps_what_was_printed(build):
    result, said = build("import sys; print('out'); print('err', file=sys.stderr)")
    assert (result.exit_code, result.ended, result.good, said) == (0, "exit", True, "out\nerr\n")


def test_the_exit_code_is_said_as_a_ci_system_does(build):
    result, said = build("raise SystemExit(7)")
    assert (result.exit_code, result.ended, result.good) == (7, "exit", False)
    assert said.endswith("Process completed with exit code 7.\n")


def test_there_is_nothing_to_read(build):
    result, said = build("import sys; print(repr(sys.stdin.read()))")
    assert result.good
    assert said == "''\n"


@pytest.mark.parametrize(("name", "code", "words"), [
    ("SIGSEGV", 139, "Segmentation fault (core dumped)"), ("SIGABRT", 134, "Aborted (core dumped)"),
    ("SIGKILL", 137, "Killed"), ("SIGBUS", 135, "Bus error (core dumped)"),
])  # fmt: skip
def test_a_crash_is_said_as_a_shell_does(build, name, code, words):
    result, said = build(f"import os, signal; os.kill(os.getpid(), signal.{name})")
    assert (result.exit_code, result.ended) == (code, "exit")
    assert said.endswith(f"\n{words}\n")


def test_a_real_segmentation_fault_shows_where_it_was(build):
    result, said = build("import ctypes\nctypes.string_at(0)")
    assert result.exit_code == 139
    assert "program.py" in said
    assert "Segmentation fault" in said


def test_time_is_limited(build):
    result, said = build("import time; print('begun'); time.sleep(60)", Limits(seconds=1.0))
    assert result.ended == "timeout"
    assert "within 1 s" in result.why
    assert "begun" in said
    assert "triage: stopped" in said
    assert result.seconds < 10


def test_a_hang_that_ignores_the_request_to_end_is_killed(build):
    started = time.monotonic()
    source = """
        import signal, time
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        print('deaf', flush=True)
        while True:
            time.sleep(1)
    """
    result, said = build(source, Limits(seconds=1.5))
    assert result.ended == "timeout"
    assert "deaf" in said
    assert time.monotonic() - started < 15


def test_memory_is_limited(build):
    source = "import time\nheld = [bytearray(b'x' * (1 << 20)) for _ in range(400)]\nprint('had it'); time.sleep(60)"
    result, _ = build(source, Limits(seconds=60, memory=150 << 20))
    assert result.ended == "memory"
    assert "0.1 GiB" in result.why
    assert result.seconds < 30


def test_memory_of_grandchildren_counts(build):
    source = """
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "x = bytearray(b'x' * (300 << 20)); import time; time.sleep(60)"])
        time.sleep(60)
    """
    result, _ = build(source, Limits(seconds=60, memory=200 << 20))
    assert result.ended == "memory"


def test_what_is_printed_is_limited(build):
    result, said = build("while True: print('x' * 1000)", Limits(seconds=60, log=4 << 20))
    assert result.ended == "log"
    assert "4 MiB" in result.why
    assert said.endswith(f"triage: stopped: {result.why}\n")


def test_the_disk_is_not_filled(build):
    result, said = build("import time; time.sleep(60)", Limits(seconds=60, free_disk=1 << 60))
    assert result.ended == "disk"
    assert "are free" in said


def test_grandchildren_in_other_sessions_end_too(build):
    source = """
        import os, subprocess, sys
        nested = ["setsid", "nohup", "sh", "-c", "sleep 300 & sleep 300"]
        for words in (["sleep", "300"], ["setsid", "sleep", "300"], nested):
            print(subprocess.Popen(words, start_new_session=True).pid, flush=True)
    """
    result, said = build(source)
    assert result.good
    pids = [int(line) for line in said.split()]
    assert len(pids) == 3
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
    ours = [process for process in marked() if process.environ()[MARK].split()[-1].startswith(f"{os.getpid()}-")]
    assert not ours


def test_what_starts_again_when_it_is_ended_ends_too(build, tmp_path):
    source = """
        import os, signal, subprocess, sys, time
        def again(*_):
            subprocess.Popen([sys.executable, *sys.argv], start_new_session=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, again)
        with open("pids", "a") as stream:
            print(os.getpid(), file=stream)
        time.sleep(300)
    """
    result, _ = build(source, Limits(seconds=2.0))
    assert result.ended == "timeout"
    time.sleep(1.0)
    pids = [int(line) for line in (tmp_path / "build" / "pids").read_text().split()]
    assert not any(map(alive, pids))


def test_a_run_inside_a_run_ends_with_it(build, tmp_path):
    source = f"""
        from triage.backends._child import run
        from triage.remedy import BuildSpec, Limits
        words = ("sh", "-c", "echo $$ > pid; sleep 300")
        run(BuildSpec(words, ".", {str(tmp_path / "inner.log")!r}, Limits(seconds=300)))
    """
    result, _ = build(source, Limits(seconds=4.0))
    assert result.ended == "timeout"
    assert not alive(int((tmp_path / "build" / "pid").read_text()))


@pytest.mark.parametrize("guarded", [False, True])
def test_a_missing_program_is_no_crash(build, tmp_path, guarded):
    result, said = build("", command=("no-such-program", "x"), guarded=str(tmp_path) if guarded else None)
    assert (result.ended, result.exit_code) == ("not-started", 127)
    assert "no-such-program" in result.why
    assert guarded is ("command not found" in said)


def test_a_program_that_cannot_be_executed(build, tmp_path):
    (tmp_path / "build" / "plain.txt").write_text("no program\n")
    result, _ = build("", command=("./plain.txt",))
    assert result.ended == "not-started"
    assert result.why == "./plain.txt: Permission denied"


def test_a_folder_that_is_not_there(tmp_path):
    result = run(BuildSpec(("true",), str(tmp_path / "gone"), str(tmp_path / "log")))
    assert result.ended == "not-started"
    assert "gone" in result.why


def test_a_program_of_its_own_that_ends_with_127_after_long_output_was_started(build):
    result, _ = build("print('x' * 5000); raise SystemExit(127)")
    assert (result.ended, result.exit_code) == ("exit", 127)


def test_an_interruption_is_said_and_ends_everything(build):
    seen = []
    result, _ = build("import time; time.sleep(60)", watch=lambda seconds: seen.append(seconds) or len(seen) < 5)
    assert result.ended == "interrupted"
    assert seen == sorted(seen)


def test_ctrl_c_leaves_nothing_behind(build, tmp_path):
    def watch(seconds):
        if (tmp_path / "build" / "pid").exists() and seconds > 0.5:
            raise KeyboardInterrupt
        return seconds < 30

    with pytest.raises(KeyboardInterrupt):
        build("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)", watch=watch)
    assert not alive(int((tmp_path / "build" / "pid").read_text()))


def test_the_environment_is_ours_with_the_builds(build):
    result, said = build("import os; print(os.environ['A'], os.environ['PYTHONUNBUFFERED'])", environment={"A": "b"})
    assert result.good
    assert said == "b 1\n"


def test_python_is_found_even_where_the_path_has_none(build, tmp_path):
    result, said = build("print(1)", command=("python", "program.py"), environment={"PATH": str(tmp_path)})
    assert result.good, said


WRITES = {
    "create": "open(p + '/new', 'w')",
    "append": "open(p + '/kept', 'a').write('x')",
    "truncate": "open(p + '/kept', 'w')",
    "delete": "os.unlink(p + '/kept')",
    "rename": "os.rename(p + '/kept', p + '/other')",
    "move away": "os.rename(p + '/kept', 'here')",
    "move in": "open('mine', 'w'); os.rename('mine', p + '/mine')",
    "folder": "os.mkdir(p + '/sub')",
    "remove folder": "os.rmdir(p + '/empty')",
    "link": "os.symlink('x', p + '/link')",
    "hard link": "open('mine', 'w'); os.link('mine', p + '/mine')",
    "through a link": "os.symlink(p, 'alias'); open('alias/new', 'w')",
    "through the process's folder": "os.chdir(p); open('/proc/self/cwd/new', 'w')",
    "by a grandchild": "import subprocess; subprocess.run(['sh', '-c', f'echo x > {p}/kept'], check=True)",
    "os.truncate": "os.truncate(p + '/kept', 0)",
}


@guarding
@pytest.mark.parametrize("how", WRITES)
def test_the_users_folder_cannot_be_written(build, tmp_path, how):
    user = tmp_path / "user"
    (user / "empty").mkdir(parents=True)
    (user / "kept").write_text("kept")
    (tmp_path / "alias").symlink_to(tmp_path)
    source = (
        f"import os\np = {str(user)!r}\nassert open(p + '/kept').read() == 'kept'\nopen('mark', 'w')\n{WRITES[how]}"
    )
    result, said = build(source, guarded=str(user))
    assert not result.good
    assert (tmp_path / "build" / "mark").exists(), said
    assert "denied" in said or "cross-device" in said.lower() or "CalledProcessError" in said
    assert sorted(path.name for path in user.iterdir()) == ["empty", "kept"]
    assert (user / "kept").read_text() == "kept"


@guarding
def test_a_link_beside_the_users_folder_opens_no_way(build, tmp_path):
    user = tmp_path / "place" / "user"
    user.mkdir(parents=True)
    (tmp_path / "alias").symlink_to(tmp_path / "place")
    result, _ = build(f"open({str(tmp_path / 'alias' / 'user' / 'new')!r}, 'w')", guarded=str(user))
    assert not result.good
    assert not list(user.iterdir())


@guarding
def test_the_rest_can_be_written(build, tmp_path):
    (tmp_path / "user").mkdir()
    (tmp_path / "scratch").mkdir()
    source = f"import tempfile\nopen({str(tmp_path / 'scratch' / 'a')!r}, 'w').write('a')\ntempfile.TemporaryFile()"
    environment = {"TMPDIR": str(tmp_path / "scratch")}
    result, said = build(source, guarded=str(tmp_path / "user"), environment=environment)
    assert result.good, said


def test_a_guarded_folder_that_is_not_there_guards_nothing_and_hinders_nothing(build, tmp_path):
    result, said = build("print(1)", guarded=str(tmp_path / "gone"))
    assert result.good, said


def test_two_runs_do_not_end_each_other(build, tmp_path):
    other = subprocess.Popen(["sleep", "30"], env={**os.environ, MARK: f"{os.getpid()}-other"})
    try:
        result, _ = build("print(1)")
        assert result.good
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
