"""The search for a cure, with fixes of its own making: what is tried, in which order, and what is called cured."""

import errno
import os
import sys
import textwrap

import pytest

from triage import discovery
from triage.remediate import plan
from triage.remediate.loop import Repair, Settings, Tools
from triage.remedy import Proof, Recipe, Verify
from triage.service.fixing import _tools

FIX = """
'''{title}

What it changes: a file.

When it is wrong: never.
'''
import os, time, signal
from triage.remedy import Proposal, Refusal
from triage.site import CannotApply
CAUSES = {causes}
SAFETY = {safety!r}
EVIDENT = True
def propose(site):
{propose}
def apply(site, parameters):
{apply}
EXAMPLES = ()
"""

WORKER = """
import sys
from triage import discovery
kept = discovery.load
def load(package, name):
    return kept("madefixes" if package == "triage.fixes" else package, name)
discovery.load = load
from triage.fixes import _worker
sys.exit(_worker.main(sys.argv[1], sys.argv[2]))
"""


class Quiet:
    def __init__(self):
        self.attempts = []
        self.stop_at = None

    def started(self, number, _what):
        if self.stop_at == number:
            raise KeyboardInterrupt

    def diagnosed(self, state):
        self.start = state

    def running(self, _seconds):
        return True

    def ended(self, attempt):
        self.attempts.append(attempt)


@pytest.fixture
def bench(tmp_path, monkeypatch, library):
    """Gives a function: fixes (name -> propose, apply) and a build script -> the repair."""
    package = tmp_path / "package" / "madefixes"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(plan, "PACKAGE", "madefixes")
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    from triage.remediate import sandbox

    original = sandbox.run
    monkeypatch.setattr(
        sandbox, "run", lambda spec: original(spec._replace(command=(spec.command[0], str(worker), *spec.command[3:])))
    )

    def make(fixes, build, *, files=("build.py", "x.txt"), verify=None, watch=None, settings=None, outputs=(), **given):
        for name, (propose, apply, *safety) in fixes.items():
            bodies = {"propose": textwrap.indent(propose, "    "), "apply": textwrap.indent(apply, "    ")}
            said = {"title": f"Do {name}.", "causes": ("calibration-failed",), "safety": (safety or ["safe"])[0]}
            text = FIX.format(**said, **bodies)
            (package / f"{name}.py").write_text(text)
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        (project / "build.py").write_text(textwrap.dedent(build))
        for path, text in given.items():
            (project / f"{path}.txt").write_text(text)
        if verify:
            (project / "verify.py").write_text(textwrap.dedent(verify))
        recipe = Recipe("made", str(project), ("python", "build.py"), files, outputs, timeout=20.0,
                        verify=Verify(("python", "verify.py")) if verify else None)  # fmt: skip
        watch = watch or Quiet()
        tools = _tools(watch, with_archive=False)
        return Repair(recipe, settings or Settings(), tools, str(tmp_path / "place")).search()

    yield make
    for name in discovery.names("madefixes"):
        sys.modules.pop(f"madefixes.{name}", None)
    sys.modules.pop("madefixes", None)


def once(what):
    return f"yield Proposal({what!r})"


def write(path, text):
    return f"site.write_text({path!r}, {text!r})"


NEEDS_TWO = """
    import os
    have = open('x.txt').read()
    if 'a' not in have:
        raise ModuleNotFoundError("No module named 'onnx'")
    if 'b' not in have:
        raise ValueError("This protobuf of onnx model is too large (>2GiB). Call check_model with model path instead.")
    print('built')
"""
APPEND = "site.write_text('x.txt', site.text('x.txt') + {!r})"


def test_a_cure_in_two_steps_is_found_and_told(bench):
    fixes = {
        "add_a": ("if 'a' not in site.text('x.txt'):\n    yield Proposal('add a')", APPEND.format("a")),
        "add_b": ("if 'b' not in site.text('x.txt'):\n    yield Proposal('add b')", APPEND.format("b")),
        "add_c": ("if 'c' not in site.text('x.txt'):\n    yield Proposal('add c')", APPEND.format("c")),
    }
    done = bench(fixes, NEEDS_TWO, x="", verify="assert set('ab') <= set(open('x.txt').read())")
    assert (done.status, done.verified) == ("cured", True)
    by_number = {attempt.number: attempt for attempt in done.attempts}
    assert [by_number[number].step.what for number in done.path] == ["add a", "add b"]
    assert [by_number[number].result for number in done.path] == ["moved-on", "cured"]
    assert [change.path for change in done.changes] == ["x.txt"]


def test_two_changes_that_only_help_together_are_found(bench):
    build = "if not set('ab') <= set(open('x.txt').read()): raise ValueError('No data is collected.')"
    fixes = {
        name: (f"if {letter!r} not in site.text('x.txt'):\n    yield Proposal('add {letter}')", APPEND.format(letter))
        for name, letter in (("one", "a"), ("two", "c"), ("three", "b"))
    }
    done = bench(fixes, build, x="")
    assert done.status == "cured"
    assert len({attempt.number for attempt in done.attempts}) == len(done.attempts)
    states = [tuple(sorted(change.diff for change in attempt.changes)) for attempt in done.attempts if attempt.changes]
    assert len(states) <= 7


def test_no_state_is_tried_twice(bench):
    fixes = {name: (once(f"write by {name}"), write("x.txt", "same")) for name in ("one", "two", "three")}
    done = bench(fixes, "raise ValueError('No data is collected.')", x="")
    results = [attempt.result for attempt in done.attempts]
    assert results.count("same") == 1
    assert set(results) == {"same", "not-run"}
    assert "tried before" in next(attempt.why for attempt in done.attempts if attempt.result == "not-run")
    assert done.status == "not-cured"


def test_wrong_outputs_are_rejected_whatever_the_exit_code(bench):
    fixes = {
        "swallow": (once("swallow the error"), write("build.py", "print('fine')")),
        "right": (once("write the right value"), write("x.txt", "right")),
    }
    build = "assert open('x.txt').read() == 'right', 'No data is collected.'"
    done = bench(fixes, build, x="wrong", verify="assert open('x.txt').read() == 'right', 'outputs differ'")
    by_fix = {attempt.step.fix: attempt for attempt in done.attempts}
    assert by_fix["right"].result == "cured"
    if "swallow" in by_fix:
        assert by_fix["swallow"].result == "worse"
        assert "outputs differ" in by_fix["swallow"].why
    assert (project_text := next(change.path for change in done.changes)) == "x.txt", project_text


def test_a_silent_wrong_result_is_a_failure_to_repair(bench):
    fixes = {"right": (once("write the right value"), write("x.txt", "right"))}
    done = bench(fixes, "print('built')", x="wrong", verify="assert open('x.txt').read() == 'right', 'outputs differ'")
    assert done.status == "cured"
    assert done.cause is not None


BROKEN = {
    "raises": "raise RuntimeError('boom')",
    "crashes": "os.kill(os.getpid(), signal.SIGSEGV)",
    "leaves": "os._exit(3)",
    "needs": "import a_package_that_is_missing",
    "refuses": "raise CannotApply('it must not')",
    "forbidden": "site.write_text('verify.py', '')",
    "outside": "site.write_text('../escape', '')",
    "nothing": "pass",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_fix_is_an_attempt_that_says_so_and_the_loop_goes_on(kind, bench):
    fixes = {"a_broken": (once("try"), BROKEN[kind]), "b_right": (once("write"), write("x.txt", "right"))}
    build = "assert open('x.txt').read() == 'right', 'No data is collected.'"
    done = bench(fixes, build, x="wrong", verify="assert open('x.txt').read() == 'right'")
    assert done.status == "cured"
    (broken,) = [attempt for attempt in done.attempts if attempt.step.fix == "a_broken"]
    assert broken.result == "not-run"
    expected = {
        "raises": "boom",
        "crashes": "Segmentation fault",
        "leaves": "exit code 3",
        "needs": "a_package_that_is_missing",
        "refuses": "must not",
        "forbidden": "verify.py is not among",
        "outside": "leads out",
        "nothing": "changes nothing",
    }
    assert expected[kind] in broken.why


@pytest.mark.parametrize("body", ["os.kill(os.getpid(), signal.SIGKILL)", "raise ValueError('bad file')"])
def test_a_fix_that_breaks_while_looking_does_not_hide_the_others(body, bench):
    fixes = {"a_broken": (body, "pass"), "b_right": (once("write"), write("x.txt", "right"))}
    done = bench(fixes, "assert open('x.txt').read() == 'right', 'No data is collected.'", x="wrong")
    assert done.status == "cured"
    assert [attempt.step.fix for attempt in done.attempts] == ["a_broken", "b_right"]


def test_a_fix_that_hangs_is_stopped(bench, monkeypatch):
    from triage.remediate import sandbox
    from triage.remedy import Limits

    monkeypatch.setattr(sandbox, "APPLY", Limits(seconds=1.0))
    fixes = {"a_hang": (once("wait"), "time.sleep(600)"), "b_right": (once("write"), write("x.txt", "right"))}
    done = bench(fixes, "assert open('x.txt').read() == 'right', 'No data is collected.'", x="wrong")
    assert done.status == "cured"
    assert "did not end within 1 s" in done.attempts[0].why


def test_unsafe_fixes_wait_for_permission(bench):
    fixes = {"risky": (once("write"), write("x.txt", "right"), "unsafe")}
    build = "assert open('x.txt').read() == 'right', 'No data is collected.'"
    done = bench(fixes, build, x="wrong")
    assert done.status == "nothing-to-try"
    assert "--unsafe" in done.why
    assert [step.fix for step in done.skipped] == ["risky"]


def test_unsafe_fixes_run_when_asked(bench):
    fixes = {"risky": (once("write"), write("x.txt", "right"), "unsafe")}
    build = "assert open('x.txt').read() == 'right', 'No data is collected.'"
    assert bench(fixes, build, x="wrong", settings=Settings(unsafe=True)).status == "cured"


def test_a_refusal_is_told_with_its_reason(bench):
    fixes = {"knows": ("yield Refusal('the data is nowhere', 'fetch it')", "pass")}
    done = bench(fixes, "raise ValueError('No data is collected.')", x="")
    assert (done.status, done.why) == ("refused", "the data is nowhere")
    assert [one.title for one in done.by_hand][-1] == "fetch it"


def test_manual_advice_is_given_and_never_run(bench):
    fixes = {
        "by_hand": ("yield Proposal('install it', {'commands': ['pip install onnx']})", "raise SystemError", "manual")
    }
    done = bench(fixes, "import a_missing_module", x="")
    assert not done.attempts
    assert done.by_hand[0].commands == ("pip install onnx",)


def test_a_build_that_succeeds_needs_nothing(bench):
    done = bench({"one": (once("write"), write("x.txt", "y"))}, "print('built')", x="")
    assert (done.status, done.attempts) == ("nothing-to-try", ())
    assert "succeeds" in done.why


def test_attempts_and_time_are_limited(bench):
    fixes = {f"f{n}": (once(f"write {n}"), write("x.txt", str(n))) for n in range(6)}
    build = "raise ValueError('No data is collected.')"
    done = bench(fixes, build, x="", settings=Settings(attempts=3))
    assert len(done.attempts) == 3


def test_an_interrupt_tells_what_was_tried(bench):
    fixes = {f"f{n}": (once(f"write {n}"), write("x.txt", str(n))) for n in range(4)}
    watch = Quiet()
    watch.stop_at = 3
    done = bench(fixes, "raise ValueError('No data is collected.')", x="", watch=watch)
    assert done.interrupted
    assert len(done.attempts) == 2


def test_an_output_that_an_earlier_build_left_does_not_count(bench, tmp_path):
    fixes = {"one": (once("write"), write("x.txt", "y"))}
    project = tmp_path / "project"
    project.mkdir()
    (project / "model.onnx").write_text("old")
    done = bench(fixes, "assert open('x.txt').read() == 'y', 'No data is collected.'", x="")
    assert done.status == "cured"
    tools = Tools(*_tools(Quiet(), with_archive=False))
    recipe = Recipe("made", str(project), ("python", "build.py"), ("x.txt",), outputs=("model.onnx",), timeout=20.0)
    done = Repair(recipe, Settings(), tools, str(tmp_path / "second")).search()
    assert done.status != "cured"
    assert "did not write model.onnx" in (tmp_path / "second" / "logs" / "01-build.log").read_text()


def test_a_build_that_only_builds_is_not_called_proven(bench):
    done = bench({"one": (once("write"), write("x.txt", "y"))}, "assert open('x.txt').read() == 'y'", x="")
    assert (done.status, done.verified) == ("cured", None)
    assert isinstance(done.proof, Proof)


def test_a_dry_run_lists_and_changes_nothing(bench):
    fixes = {"one": (once("write"), write("x.txt", "y"))}
    done = bench(fixes, "assert open('x.txt').read() == 'y'", x="", settings=Settings(dry=True))
    assert not done.attempts
    assert [step.what for step in done.skipped] == ["write"]


def test_logs_show_the_users_folder_not_the_copys(bench, tmp_path):
    done = bench({}, "raise ValueError(__import__('os').getcwd())", x="")
    assert done.status != "cured"
    log = (tmp_path / "place" / "logs" / "00-build.log").read_text()
    assert str(tmp_path / "project") in log
    assert str(tmp_path / "place") not in log


def test_the_users_folder_is_left_alone(bench, tmp_path):
    fixes = {"one": (once("write"), write("x.txt", "y"))}
    bench(fixes, "open('made.txt', 'w').write('z')\nassert open('x.txt').read() == 'y'", x="")
    assert sorted(os.listdir(tmp_path / "project")) == ["build.py", "x.txt"]
    assert (tmp_path / "project" / "x.txt").read_text() == ""


def test_a_copy_that_does_not_fit_on_the_disk_is_an_attempt_that_says_so(bench, monkeypatch):
    from triage.workspace import Workspace

    fork = Workspace.fork

    def full(self, root):
        if root.endswith("work1"):
            raise OSError(errno.ENOSPC, "No space left on device", root)
        return fork(self, root)

    monkeypatch.setattr(Workspace, "fork", full)
    fixes = {"big": (once("write much"), write("y.txt", "y")), "cures": (once("cure"), write("x.txt", "ab"))}
    done = bench(fixes, NEEDS_TWO, x="")
    assert done.status == "cured"
    assert (done.attempts[0].result, done.attempts[0].why) == (
        "not-run", "there is no room for one more copy: No space left on device",
    )  # fmt: skip


def test_copies_of_attempts_that_lead_nowhere_are_removed(bench, tmp_path):
    fixes = {f"nothing{at}": (once(f"write {at}"), write(f"y{at}.txt", "y")) for at in range(3)}
    done = bench(fixes, NEEDS_TWO, x="")
    assert len(done.attempts) > 3
    assert sorted(os.listdir(tmp_path / "place")) == [
        "answer.jsonl",
        "base",
        "fix.log",
        "logs",
        "request.json",
        "run0",
        "tmp",
    ]


@pytest.mark.parametrize(("check", "status"), [("assert {}", "refused"), ("assert {} == 'b'", "cured")])
def test_a_check_that_takes_two_readings_proves_neither(check, status, bench):
    guesses = "yield Proposal('take a', {'v': 'a'}, guess=True)\nyield Proposal('take b', {'v': 'b'}, guess=True)"
    fixes = {"guess": (guesses, "site.write_text('x.txt', parameters['v'])")}
    build = """
        have = open('x.txt').read()
        assert have, 'No data is collected.'
        open('out.txt', 'w').write(have)
    """
    done = bench(fixes, build, x="", verify=check.format("open('out.txt').read()"), outputs=("out.txt",))
    assert done.status == status
    assert ("two repairs" in done.why) is (status == "refused")
    assert [change.path for change in done.changes] == (["x.txt"] if status == "cured" else [])


def test_half_way_the_reason_why_the_rest_is_refused_is_told(bench):
    fixes = {
        "add_a": ("if 'a' not in site.text('x.txt'):\n    yield Proposal('add a')", APPEND.format("a")),
        "add_b": ("if 'a' in site.text('x.txt'):\n    yield Refusal('b is nowhere', 'Fetch b.')", "pass"),
    }
    done = bench(fixes, NEEDS_TWO, x="")
    assert (done.status, done.verified) == ("refused", None)
    assert done.why.endswith("b is nowhere")
    assert "is cured; what fails now is" in done.why
    assert [attempt.result for attempt in done.attempts] == ["moved-on"]


def test_a_check_that_passes_is_not_enough_where_tracing_froze_a_value(bench, monkeypatch):
    asked = []

    def prove(*_, **__):
        asked.append(True)
        return Proof(False, "model.onnx: other feeds give other outputs")

    monkeypatch.setattr("triage.service.fixing.prove", prove)
    build = NEEDS_TWO.replace(
        "print('built')", "print('TracerWarning: Converting a tensor to a Python boolean might cause the trace to be')"
    )
    done = bench({"cures": (once("cure"), write("x.txt", "ab"))}, build, x="", verify="pass")
    assert (done.attempts[0].result, asked) == ("worse", [True])
    assert done.status != "cured"
    assert "other feeds give other outputs" in done.attempts[0].why
