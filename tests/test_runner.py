"""A build under ``run_command`` does what it does bare, and its output is kept."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support import REPO

from triage.errors import UsageError
from triage.runner import Capture, run_command

WRAP = """
import json, os, sys
from triage.runner import Capture, run_command
with Capture() as log:
    run = run_command(sys.argv[1:], keep=log, grace=0.3)
    kept = b"".join(log.chunks()).decode("latin-1")
    with open(os.environ["TOLD"], "w") as stream:
        json.dump({"code": run.exit_code, "log": kept, "note": run.note, "cut": run.cut, "signal": run.signal}, stream)
sys.exit(run.exit_code)
"""
TWO_STREAMS = """
import os
for number in range(200):
    os.write(1 + number % 2, b"%d\\n" % number)
"""
COUNTER = """
import signal, sys, time
seen = []
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), lambda number, frame: seen.append(number))
print("ready", flush=True)
until = time.monotonic() + 20
while len(seen) < int(sys.argv[1]) and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.4)  # a second one would come now
print("seen", *seen, flush=True)
sys.exit(7)
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What a wrapped run says of itself, once it ended."""
    path = tmp_path / "told.json"
    monkeypatch.setenv("TOLD", str(path))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    return lambda: json.loads(path.read_text())


def wrapped(*command):
    return [sys.executable, "-c", WRAP, *map(str, command)]


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def run_here(command, tmp_path, **options):
    """In this process, with both outputs going to files."""
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err, Capture() as log:
        run = run_command(command, keep=log, outputs=(out.fileno(), err.fileno()), **options)
        kept = b"".join(log.chunks())
    return run, (tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes(), kept


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_commands_own(code, tmp_path):
    run, *_ = run_here(["sh", "-c", f"exit {code}"], tmp_path)
    assert (run.exit_code, run.signal) == (code, None)
    assert run.started.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_command_that_a_signal_ended_gives_what_a_shell_would(name, tmp_path):
    number = getattr(signal, f"SIG{name}")
    run, *_ = run_here(["sh", "-c", f"kill -{name} $$"], tmp_path)
    assert (run.exit_code, run.signal) == (128 + number, number)


def test_any_bytes_pass_unchanged_and_are_kept(tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "data").write_bytes(data)
    run, out, err, kept = run_here(["sh", "-c", f"cat {tmp_path}/data; cat {tmp_path}/data >&2"], tmp_path)
    assert (out, err) == (data, data)
    assert len(kept) == run.size == 2 * len(data)
    assert (run.cut, run.note) == (0, None)


def test_two_outputs_that_are_one_keep_the_order_of_the_command(told):
    done = subprocess.run(wrapped(*python(TWO_STREAMS)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    assert done.stdout.split() == [b"%d" % number for number in range(200)]
    assert told()["log"].encode() == done.stdout


def test_each_stream_keeps_its_order(told):
    done = subprocess.run(wrapped(*python(TWO_STREAMS)), capture_output=True, check=True)
    assert done.stdout.split() == [b"%d" % number for number in range(0, 200, 2)]
    assert done.stderr.split() == [b"%d" % number for number in range(1, 200, 2)]
    assert sorted(map(int, told()["log"].split())) == list(range(200))


def test_output_is_live_and_input_is_the_commands(told):
    code = "print('question', flush=True); print('got', input(), flush=True)"
    with subprocess.Popen(wrapped(*python(code)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"question\n"  # the command still waits
        process.stdin.write(b"answer\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got answer\n"
    assert process.returncode == 0


def test_environment_and_folder_are_given(tmp_path):
    run, out, *_ = run_here(["sh", "-c", "echo $MARK; pwd"], tmp_path, env={"MARK": "here"}, cwd=str(tmp_path))
    assert out.decode().split() == ["here", str(tmp_path.resolve())]
    assert run.exit_code == 0


def test_what_cannot_be_started_is_said_and_kept(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("echo from $0 $1\n")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\0\1\2")
    binary.chmod(0o755)
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/shell\n")
    orphan.chmod(0o755)
    for command, code, words in (
        ("no-such-command-here", 127, b"command not found"),
        (str(plain), 126, b"cannot be executed"),
        (str(binary), 126, b"cannot be executed"),
        (str(orphan), 127, b"interpreter"),
    ):
        run, out, err, kept = run_here([command], tmp_path)
        assert (run.exit_code, out) == (code, b"")
        assert words in err
        assert err == kept
        assert command.encode() in err


def test_a_script_without_a_first_line_runs_as_in_a_shell(tmp_path):
    script = tmp_path / "script"
    script.write_text("echo told $1\nexit 4\n")
    script.chmod(0o755)
    run, out, *_ = run_here([str(script), "me"], tmp_path)
    assert (run.exit_code, out) == (4, b"told me\n")


@pytest.mark.parametrize(
    ("command", "options"), [([], {}), ([""], {}), (["a\0b"], {}), (["true"], {"cwd": "/no/such"})]
)
def test_a_wrong_call_is_refused(command, options):
    with Capture() as log, pytest.raises(UsageError):
        run_command(command, keep=log, **options)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_is_passed_on_and_the_commands_code_returned(name, told):
    number = getattr(signal, name)
    with subprocess.Popen(
        wrapped(*python(COUNTER, 1)), stdout=subprocess.PIPE, start_new_session=True
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.read() == f"seen {int(number)}\n".encode()
    assert process.returncode == 7


def test_a_second_interrupt_is_passed_on_too(told):
    with subprocess.Popen(
        wrapped(*python(COUNTER, 2)), stdout=subprocess.PIPE, start_new_session=True
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"seen 2 2\n"
    assert process.returncode == 7


def test_a_signal_reaches_what_the_command_started(told, tmp_path):
    inner = f"trap 'echo stopped > {tmp_path}/inner; exit' TERM; echo ready; sleep 60 & wait"
    command = ["sh", "-c", 'sh -c "$1"; echo never', "sh", inner]
    with subprocess.Popen(wrapped(*command), stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.read() == b""
    assert process.returncode == 128 + signal.SIGTERM
    until = time.monotonic() + 20
    while not (tmp_path / "inner").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert (tmp_path / "inner").exists()


def test_an_ignored_signal_stays_ignored(told):
    code = "import time; print('ready', flush=True); time.sleep(0.5)"
    shell = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *wrapped(*python(code))]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0


def test_handlers_are_as_before_afterwards(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)]
    run_here(["true"], tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)] == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


@pytest.mark.parametrize("left", ["sleep 60", "while :; do echo noise; sleep 0.05; done", "yes"])
def test_a_process_left_behind_does_not_hold_the_run(left, tmp_path):
    run, out, *_ = run_here(["sh", "-c", f"({left}) & echo $!; sleep 0.2; exit 5"], tmp_path, grace=0.3)
    with suppress(ProcessLookupError):
        os.kill(next(int(word) for word in out.split() if word.isdigit()), signal.SIGKILL)
    assert run.exit_code == 5
    assert run.seconds < 50


def test_a_slow_reader_gets_everything(told):
    code = "import sys; sys.stdout.write('x' * 900_000 + 'end')"
    with subprocess.Popen(wrapped(*python(code)), stdout=subprocess.PIPE) as process:
        time.sleep(1.5)  # longer than the grace time; the command ended meanwhile
        data = process.stdout.read()
    assert data == b"x" * 900_000 + b"end"


@pytest.mark.parametrize("command", [["yes"], python("while True: print('line' * 100)")], ids=["yes", "python"])
def test_a_reader_that_went_away_is_what_it_is_bare(command, told):
    codes = []
    for words in (command, wrapped(*command)):
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            process.stdout.close()
            codes.append(process.wait(timeout=60) % 256)
    shell = {256 - signal.SIGPIPE: 128 + signal.SIGPIPE}
    assert codes[1] == shell.get(codes[0], codes[0])


def test_an_output_that_takes_no_more_does_not_stop_the_build(tmp_path):
    with open("/dev/full", "wb") as full, (tmp_path / "err").open("wb") as err, Capture() as log:
        run = run_command(["sh", "-c", "echo one; echo two; exit 3"], keep=log, outputs=(full.fileno(), err.fileno()))
        assert b"".join(log.chunks()) == b"one\ntwo\n"
    assert run.exit_code == 3
    assert "takes no more" in run.note


def test_closed_outputs_do_not_matter(told):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *wrapped("sh", "-c", "echo hi; exit 6")], check=False
    )
    assert done.returncode == 6
    assert told()["log"] == "hi\n"


def test_the_log_is_private_and_removed(tmp_path):
    with Capture() as log:
        run = run_command(["echo", "secret"], keep=log, outputs=(os.open(os.devnull, os.O_WRONLY),) * 2)
        path = Path(run.log)
        assert path.read_bytes() == b"secret\n"
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


def test_a_log_beyond_its_limit_keeps_start_and_end():
    with Capture(limit=1000) as log:
        log.add(b"start" * 100)
        log.add(b"m" * 1000)
        for number in range(40):
            log.add(b"%07d" % number * 100_000)
        log.flush()
        data = b"".join(log.chunks())
        assert data.startswith(b"start" * 100 + b"m" * 500)
        assert data.endswith(b"0000039" * 100_000)
        assert 8 << 20 <= len(data) < 10 << 20
        assert f"[{log.cut:,} bytes were not kept]".encode() in data
        assert log.size - log.cut == len(data) - len(f"\n[{log.cut:,} bytes were not kept]\n")
        assert f"{log.cut:,}" in log.fault


def test_where_nothing_can_be_written_the_end_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with Capture() as log:
        log.add(b"all of it")
        assert b"".join(log.chunks()) == b"all of it"
        assert (log.path, log.cut) == (None, 0)
        assert "could not be kept" in log.fault


class Terminal:
    """A wrapped command in a terminal of its own: what it prints, keys, size."""

    def __init__(self, command, rows=33, columns=101):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        code = "import os, sys; os.setsid(); os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen([sys.executable, "-c", code, *command], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text):
        while text not in self.seen:
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                break
        assert text in self.seen, self.seen
        return self.seen

    def end(self):
        code = self.process.wait(timeout=60)
        os.close(self.master)
        return code


def test_in_a_terminal_the_command_sees_one_of_the_same_size(told):
    code = "import os, sys; print(sys.stdout.isatty(), sys.stderr.isatty(), *os.get_terminal_size(), 'done')"
    terminal = Terminal(wrapped(*python(code)))
    assert b"True True 101 33 done\r\n" in terminal.until(b"done\r\n")
    assert terminal.end() == 0
    assert told()["log"] == "True True 101 33 done\n"


def test_the_size_of_the_terminal_is_passed_on(told):
    code = (
        "import os, signal, time\n"
        "changed = []\n"
        "signal.signal(signal.SIGWINCH, lambda number, frame: changed.append(tuple(os.get_terminal_size())))\n"
        "print('ready', flush=True)\n"
        "until = time.monotonic() + 20\n"
        "while (77, 20) not in changed and time.monotonic() < until: time.sleep(0.01)\n"
        "print('size', *changed[-1])\n"
    )
    terminal = Terminal(wrapped(*python(code)))
    terminal.until(b"ready")
    terminal.resize(20, 77)
    terminal.until(b"size 77 20")
    assert terminal.end() == 0


def test_a_key_reaches_the_command_once(told):
    terminal = Terminal(wrapped(*python(COUNTER, 1)))
    terminal.until(b"ready")
    os.write(terminal.master, b"\x03")
    terminal.until(b"seen 2\r\n")
    assert terminal.end() == 7


def test_two_keys_reach_the_command(told):
    terminal = Terminal(wrapped(*python(COUNTER, 2)))
    terminal.until(b"ready")
    os.write(terminal.master, b"\x03")
    time.sleep(0.2)
    os.write(terminal.master, b"\x03")
    terminal.until(b"seen 2 2\r\n")
    assert terminal.end() == 7


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="this system does not say who sent a signal")
def test_in_a_terminal_a_signal_from_another_process_is_passed_on(told):
    terminal = Terminal(wrapped(*python(COUNTER, 1)))
    terminal.until(b"ready")
    os.kill(terminal.process.pid, signal.SIGINT)
    terminal.until(b"seen 2\r\n")
    assert terminal.end() == 7


def test_a_line_of_one_stream_is_not_cut_by_the_other_in_the_log():
    code = (
        "import os, time\n"
        "for number in range(20):\n"
        "    os.write(1, b'the first half '); time.sleep(0.005)\n"
        "    os.write(2, b'an error in between\\n'); time.sleep(0.005)\n"
        "    os.write(1, b'and the second\\n')\n"
        "os.write(1, b'no end')"
    )
    outputs = [os.pipe() for _ in range(2)]
    with Capture() as keep:
        run_command([sys.executable, "-c", code], keep=keep, outputs=(outputs[0][1], outputs[1][1]))
        lines = b"".join(keep.chunks()).split(b"\n")
    for read, write in outputs:
        os.close(read)
        os.close(write)
    assert sorted(set(lines)) == [b"an error in between", b"no end", b"the first half and the second"]
    assert len(lines) == 41
