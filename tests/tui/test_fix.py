"""Repairing from the desk: the form, the plan, the run, the result, applying and taking back, stopping."""

import asyncio
import os
import time

import pytest
from broken import broken_build, tree
from textual.widgets import DataTable, Input, Static

from triage.remedy import Attempt, ByHand, Change, Proof, Recipe, Remediation, Step
from triage.tui import drafts, sheets
from triage.tui.app import Desk
from triage.tui.drafts import Draft, draft_of, place_of, recalled, remembered
from triage.tui.repairs import DONE, PLANNED, WHAT, Job, repairs_of
from triage.tui.settings import Settings
from triage.tui.widgets.answer import Row
from triage.tui.widgets.question import Question
from triage.tui.widgets.repair_form import RepairForm
from triage.workspace import digest

SMALL, LARGE = (80, 24), (140, 45)
RAISES = "import sys\nprint('loading')\nraise ValueError('boom')\n"
HANGS = "import time\nprint('Traceback', flush=True)\ntime.sleep(60)\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Settings, archive and results of its own."""
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIAGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path):
    """A folder with a script that raises."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "build.py").write_text(RAISES)
    return folder


def drive(steps, size=SMALL, chosen=None, jobs=(), **arguments):
    """Opens the screen on a desk, which may have repairs, and has ``steps(pilot, screen)`` use it."""

    async def run():
        desk = Desk(chosen=chosen)
        async with desk.run_test(size=size) as pilot:
            await pilot.pause()
            repairs_of(desk).jobs += jobs
            screen = desk.go("fix", **arguments)
            await until(pilot, lambda: screen.is_mounted and bool(screen.seen))
            await pilot.pause(0.3)
            await steps(pilot, screen)

    asyncio.run(run())


async def until(pilot, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await pilot.pause(0.05)
    await pilot.pause()


async def idle(pilot, screen):
    await until(pilot, lambda: not screen.job.working)
    await pilot.pause(0.3)


async def asked(pilot):
    await until(pilot, lambda: isinstance(pilot.app.screen, Question), 20)


async def answer(pilot, key):
    """Waits for the question, and answers it."""
    await asked(pilot)
    await pilot.press(key)
    await pilot.pause(0.2)


def text_of(screen):
    """All that stands on the screen."""
    return "\n".join("".join(segment.text for segment in strip) for strip in screen._compositor.render_strips())  # noqa: SLF001


def form_of(screen):
    """What the form says of itself."""
    return str(screen.query_one("#told", Static).content)


def told(desk):
    return "\n".join(note.message for note in desk._notifications)  # noqa: SLF001


async def plan_it(pilot, screen, folder):
    """The form, the plan, an article, and the log of the build as it is."""
    desk, job = pilot.app, screen.job
    assert job.draft.line == "recipe.toml"
    await until(pilot, lambda: "python verify.py agrees" in form_of(screen), 30)
    assert screen.command == f"cd {folder} && triage fix recipe.toml"
    await pilot.press("p")
    await idle(pilot, screen)
    assert (job.phase, job.fault) == (PLANNED, "")
    for words in ("1 repair would be tried", "✓ safe", "What it changes"):
        assert words in text_of(screen)
    assert "--dry-run" in screen.command
    assert not job.output, "a plan leaves nothing"
    await pilot.press("enter")
    await pilot.pause(0.3)
    assert desk.screen.command == "triage explain sort_graph"
    await pilot.press("escape", "l")
    await until(pilot, lambda: "Traceback" in text_of(desk.screen), 20)
    await pilot.press("escape")


async def run_it(pilot, screen):
    """The attempts, their logs and changes, and the result."""
    desk, job = pilot.app, screen.job
    await pilot.press("r")
    await idle(pilot, screen)
    assert (job.phase, job.done.status, job.done.verified) == (DONE, "cured", True)
    for words in ("✓ CURED AND PROVEN", "the recipe's own check passes: equal", "~ model.onnx"):
        assert words in text_of(screen)
    assert "triage fix --apply" in screen.command
    await pilot.press("3")
    await pilot.pause(0.2)
    assert "✓ cured" in text_of(screen)
    await pilot.press("enter")
    await until(pilot, lambda: "accepted" in text_of(desk.screen), 20)
    await pilot.press("v")
    await until(pilot, lambda: "equal" in text_of(desk.screen), 20)
    await pilot.press("escape", "d")
    await until(pilot, lambda: "+ nodes in the order" in text_of(desk.screen), 20)
    await pilot.press("escape", "4")


async def apply_it(pilot, screen, folder, before):
    """A question first; then all of it; then taken back; then refused over later work."""
    desk, job = pilot.app, screen.job
    await pilot.press("a")
    await asked(pilot)
    assert "~ model.onnx" in text_of(desk.screen)
    await answer(pilot, "n")
    assert tree(folder) == before
    await pilot.press("a")
    await answer(pilot, "y")
    await until(pilot, lambda: job.applied and "Applied in" in text_of(screen), 20)
    cured = folder / "model.onnx"
    assert digest(str(cured)) == digest(os.path.join(job.output, "files", "model.onnx"))
    assert "triage fix --undo" in screen.command
    await pilot.press("u")
    await answer(pilot, "y")
    await until(pilot, lambda: not job.applied, 20)
    assert [entry[:3] for entry in tree(folder).values()] == [entry[:3] for entry in before.values()]
    cured.write_bytes(b"somebody's work")
    await pilot.press("a")
    await answer(pilot, "y")
    await until(pilot, lambda: "was changed since" in told(desk), 20)
    assert cured.read_bytes() == b"somebody's work"


def test_plan_run_proof_diff_apply_undo(tmp_path):
    """The whole way on a real broken model, by keyboard alone."""
    pytest.importorskip("onnx")
    folder = tmp_path / "project"
    broken_build(folder)
    before = tree(folder)

    async def steps(pilot, screen):
        await plan_it(pilot, screen, folder)
        await run_it(pilot, screen)
        assert tree(folder) == before, "only a copy was changed"
        await apply_it(pilot, screen, folder, before)
        done, again = screen.job.done, Job.of_earlier(screen.job.output).done
        assert (again.status, again.proof, again.changes) == (done.status, done.proof, done.changes)

    drive(steps, recipe=str(folder))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_stopping_in_the_middle_leaves_everything_as_it_was(size, project):
    (project / "build.py").write_text(HANGS)
    before = tree(project)

    async def steps(pilot, screen):
        desk, job = pilot.app, screen.job
        screen.query_one("#line", Input).value = "python build.py"
        await pilot.pause(0.6)
        screen.query_one("#plan").focus()
        await pilot.press("r")
        await until(pilot, lambda: job.logs_of(0), 30)
        assert "running the build as it is" in text_of(screen)
        await pilot.press("enter")
        await until(pilot, lambda: "Traceback" in text_of(desk.screen), 20)
        assert "running, followed" in text_of(desk.screen)
        await pilot.press("escape")
        await pilot.press("escape")  # the repair goes on without its screen
        await pilot.pause(0.2)
        assert desk.screen is not screen
        assert job.working
        again = desk.go("fix", recipe=str(project))
        await until(pilot, lambda: again.is_mounted and again.seen == "run", 20)
        assert again.job is job
        await pilot.press("r")
        await until(pilot, lambda: "x stops it" in told(desk), 20)
        await pilot.press("x")
        await asked(pilot)
        await pilot.press("escape")
        await pilot.pause(0.2)
        assert not job.stopping
        await pilot.press("x")
        await asked(pilot)
        await pilot.press("y")
        await idle(pilot, again)
        assert (job.phase, job.done.interrupted) == (DONE, True)
        assert "■ INTERRUPTED" in text_of(again)
        assert "Your files are as they were" in text_of(again)

    drive(steps, size, recipe=str(project))
    assert tree(project) == before
    assert not list(project.parent.glob("data/fixes/*/.work"))


def test_leaving_the_desk_ends_what_runs(project, tmp_path):
    (project / "build.py").write_text(HANGS)

    async def steps(pilot, screen):
        screen.query_one("#line", Input).value = "python build.py"
        await pilot.pause(0.6)
        screen.query_one("#plan").focus()
        await pilot.press("p")
        await until(pilot, lambda: screen.job.logs_of(0), 30)

    began = time.monotonic()
    drive(steps, recipe=str(project))
    assert time.monotonic() - began < 45
    assert not list(tmp_path.glob("data/fixes/*/.work"))


def test_a_build_that_hangs_ends_at_its_limit(project):
    (project / "build.py").write_text(HANGS)

    async def steps(pilot, screen):
        screen.query_one(RepairForm).fill(Draft("python build.py", str(project), archive=False, timeout="1"))
        await pilot.pause(0.5)
        assert "--timeout 1" in screen.command
        screen.query_one("#plan").focus()
        await pilot.press("r")
        await idle(pilot, screen)
        assert screen.job.phase == DONE
        assert screen.job.done.status != "cured"
        await pilot.press("3", "enter")
        await until(pilot, lambda: "did not end within 1 s" in text_of(pilot.app.screen), 20)

    drive(steps, recipe=str(project))


def test_a_repair_that_fails_is_told_in_words(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    from triage.remediate import sandbox

    monkeypatch.setattr(sandbox, "APPLY", sandbox.APPLY._replace(seconds=0.001))
    folder = tmp_path / "project"
    broken_build(folder)

    async def steps(pilot, screen):
        await pilot.press("r")
        await idle(pilot, screen)
        assert screen.job.done.status != "cured"
        await pilot.press("3")
        await pilot.pause(0.2)
        await pilot.press("down")
        await pilot.pause(0.2)
        assert "· not run" in text_of(screen)
        assert "the fix was stopped: it did not end within 0.001 s" in text_of(screen)
        await pilot.press("4", "a")
        await until(pilot, lambda: "no cure to apply" in told(pilot.app), 20)

    drive(steps, LARGE, recipe=str(folder))


@pytest.mark.parametrize("read_only", [True, False])
def test_a_read_only_desk_and_a_missing_archive(read_only, project, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", "sqlite:////proc/nowhere/archive.db")

    async def steps(pilot, screen):
        screen.query_one(RepairForm).fill(Draft("python build.py", str(project)))
        await pilot.pause(0.5)
        screen.query_one("#plan").focus()
        await pilot.press("r")
        await idle(pilot, screen)
        job = screen.job
        assert job.phase == DONE
        assert ("not filed" in text_of(screen)) is not read_only
        for key, word in (
            ("a", "read-only" if read_only else "no cure"),
            ("u", "read-only" if read_only else "applied"),
        ):
            await pilot.press(key)
            await until(pilot, lambda word=word: word in told(pilot.app), 20)
            pilot.app.clear_notifications()

    drive(steps, chosen=Settings(read_only=read_only), recipe=str(project))


def test_what_is_wrong_with_the_form_is_said(project):
    async def steps(pilot, screen):
        desk = pilot.app
        line = screen.query_one("#line", Input)
        assert screen.focused is line
        assert "✗ Type the command that fails" in text_of(screen)
        await pilot.press("escape")
        assert desk.screen is screen
        await pilot.press("p")
        await until(pilot, lambda: "Say first what fails" in told(desk), 20)
        for text, said in (
            ("missing.toml", "missing.toml does not exist"), ("python 'x", "no closing quotation"),
            ("a && b", "&& is for a shell"), ("python \x1b[31m[bold]x", "✓ Runs in a copy"),
        ):  # fmt: skip
            line.value = text
            await until(pilot, lambda said=said: said in form_of(screen), 20)
        line.value = "missing.toml"
        await pilot.pause(0.5)
        screen.query_one("#plan").focus()
        await pilot.press("p")
        await idle(pilot, screen)
        assert screen.job.phase == WHAT
        assert "✗" in str(screen.query_one(".fault", Static).content)
        screen.query_one("#folder", Input).value = "/nowhere"
        await until(pilot, lambda: "There is no folder /nowhere" in form_of(screen), 20)
        screen.query_one("#attempts", Input).value = "many"
        screen.query_one("#folder", Input).value = str(project)
        await until(pilot, lambda: "attempts must be a number" in form_of(screen), 20)

    drive(steps, recipe=str(project))


def test_a_build_that_succeeds_needs_nothing(project):
    (project / "build.py").write_text("print('good')\n")

    async def steps(pilot, screen):
        screen.query_one(RepairForm).fill(Draft("python build.py", str(project), archive=False))
        await pilot.pause(0.5)
        screen.query_one("#plan").focus()
        await pilot.press("enter")
        await idle(pilot, screen)
        assert "there is nothing to repair" in text_of(screen)
        assert screen.query_one("#part-plan DataTable", DataTable).row_count == 0
        await pilot.press("n")
        await pilot.pause(0.2)
        assert screen.seen == "what"

    drive(steps, recipe=str(project))


def test_offers_and_earlier_repairs_can_be_chosen(project, tmp_path):
    (project / "recipe.toml").write_text('[build]\ncommand = ["python", "build.py"]\n')

    async def steps(pilot, screen):
        desk = pilot.app
        desk.memory.commands = [remembered("python build.py", str(project))]
        screen.query_one(RepairForm).fill(Draft("python build.py", str(project), archive=False))
        await pilot.pause(0.4)
        screen.query_one("#plan").focus()
        await pilot.press("r")
        await idle(pilot, screen)
        output = screen.job.output
        await pilot.press("escape")
        other = desk.go("fix", recipe=str(tmp_path))
        await until(pilot, lambda: len(other.query("#offers Row")) == 2, 20)
        assert (other.job.draft.line, other.job.draft.folder) == ("recipe.toml", str(project))
        row = other.query("#offers Row").results(Row)
        next(one for one in row if "run before" in str(one.content)).focus()
        await pilot.press("enter")
        await pilot.pause(0.4)
        assert other.job.draft.line == "python build.py"
        other.query("#offers Row").last().focus()
        await pilot.press("enter")
        await until(pilot, lambda: desk.screen.job.subject == output, 20)
        assert desk.screen.job.phase == DONE
        assert repairs_of(desk).of(output) is desk.screen.job

    drive(steps, LARGE, recipe=str(project))


HOSTILE = "\x1b[31m[bold red]模型 🧨[/]\u202e " + "x" * 300
ROW = {"name": HOSTILE, "count": 16384, "max_abs": 1.9e-6, "max_rel": 0.00025, "atol": 2e-4, "rtol": 1e-3}
OUTCOMES = {
    "not compared": ({"status": "cured", "verified": None}, ("BUILDS, NOT COMPARED", "a puts it into")),
    "proven": ({"status": "cured", "verified": True}, (
        "CURED AND PROVEN", "largest difference", "1.9e-06", "16,384", "✓ yes", "✗ no", "compared with",
        "$ command  command · +1 -1", "- gone.bin", "+ new.txt  added · +1 -0", "The command is another now")),
    "moved on": ({"status": "moved-on", "verified": None}, ("→ MOVED ON", "pip install x", "By hand", "Not tried")),
    "refused": ({"status": "refused", "verified": None, "changes": ()}, ("· REFUSED", "pip install x")),
    "interrupted": ({"status": "not-cured", "verified": None, "interrupted": True}, ("■ INTERRUPTED", "1 attempt was")),
}  # fmt: skip


def told_job(folder, given):
    """A repair that is over, with everything that one can have and hostile text in all of it."""
    changes = (
        Change("command", "command", "--- command\n+++ command\n@@\n-a\n+b\n"),
        Change("gone.bin", "removed", "a binary file of 3 bytes\n"),
        Change("new.txt", "added", f"--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+{HOSTILE}\n"),
    )
    proof = Proof(True, HOSTILE, HOSTILE, ({**ROW, "equal": True}, {**ROW, "name": "z", "equal": False}))
    step = Step("sort_graph", HOSTILE, {}, "safe")
    tried = Attempt(1, 0, step, "cured", HOSTILE, changes, "model-invalid", None, seconds=1.0, proof=proof)
    done = Remediation(
        Recipe("made", str(folder), ("python", "build.py"), ()), "", None, HOSTILE, (tried,), (1,), changes, ("b",),
        "model-invalid", proof, (ByHand("install_package", HOSTILE, ("pip install x",)),),
        (Step("sort_graph", HOSTILE, {}, "unsafe"),), str(folder / "left"), 3.0,
    )._replace(**given)  # fmt: skip
    job = Job(str(folder), "made", Draft("python build.py", str(folder)))
    job.phase, job.done, job.attempts, job.output = DONE, done, done.attempts, str(done.output)
    return job


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_outcome_is_told(kind, size, project):
    given, words = OUTCOMES[kind]
    job = told_job(project, given)

    async def steps(pilot, screen):
        desk = pilot.app
        part = screen.query_one("#part-result")
        seen = text_of(screen)
        for _ in range(8):
            part.scroll_relative(y=8, animate=False)
            await pilot.pause(0.1)
            seen += "\n" + text_of(screen)
        assert [word for word in words if word not in seen] == []
        assert "\x1b" not in seen
        assert "[bold red]模型" in seen
        rows = list(screen.query("#part-result Row").results(Row))
        rows[-1].focus()
        await pilot.press("enter")
        await until(pilot, lambda: "Copied the path" in told(desk), 20)
        await pilot.press("d")
        if not job.done.changes:
            await until(pilot, lambda: "Nothing was changed" in told(desk), 20)
            return
        await until(pilot, lambda: desk.screen is not screen and "$ command" in text_of(desk.screen), 20)
        await pilot.press("n")
        await until(pilot, lambda: "2 of 3 · removed" in text_of(desk.screen), 20)
        await pilot.press("N", "N")
        await until(pilot, lambda: "+[31m[bold red]模型" in text_of(desk.screen), 20)
        await pilot.press("y", "right", "G", "escape")
        assert "Copied the change of new.txt" in told(desk)
        await pilot.press("3")
        await pilot.pause(0.2)
        await pilot.press("l")
        await until(pilot, lambda: "There is no log" in text_of(desk.screen), 20)

    drive(steps, size, jobs=[job], recipe=str(project))


# --- what a log says of its command, without a screen

LOGS = {
    "Run python export.py --opset 9\nTraceback (most recent call last):\n": "python export.py --opset 9",
    "+ trtexec --onnx=model.onnx --fp16\n[E] Error\n": "trtexec --onnx=model.onnx --fp16",
    "$ triage run -- python export.py\nboom\n": "python export.py",
    "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx\n[E] Error[1]: x\n&&&& FAILED\n":
        "trtexec --onnx=m.onnx",
    'Traceback (most recent call last):\n  File "export.py", line 3, in <module>\n    f()\nValueError: x\n':
        "python export.py",
}  # fmt: skip


@pytest.mark.parametrize("log", LOGS)
def test_the_command_is_taken_from_the_log(log, tmp_path):
    path = tmp_path / "build.log"
    path.write_text(log)
    ((sheet, chunks),) = sheets.open_sheets(str(path))
    sheets.read(sheet, chunks, opinion=False)
    draft, found = draft_of(sheet, None, ())
    assert draft.line == LOGS[log]
    assert draft.folder == str(tmp_path)
    assert found[0].line == LOGS[log]
    sheet.close()


def test_a_recipe_beside_the_log_comes_first(tmp_path):
    (tmp_path / "recipe.toml").write_text('[build]\ncommand = ["python", "export.py"]\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "build.log").write_text(next(iter(LOGS)))
    ((sheet, chunks),) = sheets.open_sheets(str(tmp_path / "build.log"))
    list(chunks)
    draft, found = draft_of(sheet, None, ["cd 'x", "make", remembered("python a.py", str(tmp_path))])
    assert (draft.line, draft.folder) == ("recipe.toml", str(tmp_path))
    assert [one.line for one in found] == ["recipe.toml", "python export.py --opset 9", "make", "python a.py"]
    sheet.close()


def test_a_log_without_a_command_leaves_the_form_empty(tmp_path):
    sheet, chunks = sheets.pasted("\x1b[31mERROR: 模型 🧨\n" + "x" * 100_000)
    list(chunks)
    assert draft_of(sheet, None, ())[0].line == ""
    sheet.close()


def test_the_folder_is_the_one_that_holds_what_the_command_names(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "model.onnx").write_bytes(b"")
    assert place_of("trtexec --onnx=model.onnx", str(tmp_path / "logs")) == str(tmp_path)
    assert place_of("trtexec --onnx=other.onnx", str(tmp_path / "logs")) == str(tmp_path / "logs")
    assert recalled(remembered("python 'a b.py'", "/a b")) == drafts.Offer("python 'a b.py'", "/a b", "run before")


def test_the_command_of_a_form_can_be_typed():
    draft = Draft("model.onnx", "/p", "onnxruntime", unsafe=True, archive=False, attempts="3", memory="2")
    told = "cd /p && triage fix --target onnxruntime --attempts 3 --memory 2 --unsafe --no-archive model.onnx"
    assert draft.command == told
    assert Draft("python 'a b.py'", os.getcwd()).command == "triage fix -- python 'a b.py'"
    assert Draft("").command == "triage fix -- COMMAND"
    assert Draft("x", memory="2", attempts="7").settings()[:3] == (7, 3600.0, 2 << 30)
