"""Repairs a build: what fails, the plan, the attempts as they go, and the result with its proof."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, ContentSwitcher, Footer, Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from triage.errors import TriageError
from triage.tui.drafts import Draft, Offer, draft_of, used
from triage.tui.explained import Explained
from triage.tui.repairs import DONE, PLANNED, PLANNING, RUNNING, Job, repairs_of
from triage.tui.sheets import Sheet
from triage.tui.widgets._repair_acts import RepairActs
from triage.tui.widgets.answer import Row
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.repair_form import RepairForm
from triage.tui.widgets.repair_plan import RepairPlan
from triage.tui.widgets.repair_result import RepairResult
from triage.tui.widgets.repair_run import RepairRun

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Fix"
ENTRY = True
HELP = """
Repairs a build that fails, on a copy: your own files stay as they are until you apply the cure.

1. **What**: the command that fails and its folder, or a recipe.toml. It is filled in from what the log says; look at it
   before it runs. Below it stands what would be run, what may be changed, and what cured means.
2. **Plan** (`p`): runs the build once and lists the repairs that would be tried, in order. *Safe* ones keep what the
   model computes; *unsafe* ones may not, and are tried only with the safety switch on; what is *by hand* is only
   told. `Enter` opens the article of a repair.
3. **Run** (`r`): tries one after the other, each on a copy, and runs the build again. `Enter` shows the log of an
   attempt, also while it runs, `d` what it changed. `x` stops: everything is as it was, and what was tried is told.
   The repair goes on when this screen is left; `f` on the log comes back to it.
4. **Result**: the verdict, how it was proven, and every change (`d`). `a` applies the cure after a question: all of it
   or nothing, and never over files that changed since. `u` takes it back.

`1` to `4` go from part to part. Earlier repairs stand under the form: `Enter` opens one, to apply it or take it back.
"""
STEPS = ("what", "plan", "run", "result")
TICK = 0.25


def make(sheet: Sheet | None = None, recipe: str | None = None) -> Screen[None]:
    """Repairs what failed in a log, or what a recipe or a folder names; of neither, what a person types."""
    return Fix(sheet, recipe)


class Fix(RepairActs, Explained, Screen[None]):
    """Shows one repair; it lives on the desk, and goes on without this screen."""

    name_of = "fix"
    BINDINGS: ClassVar = [
        Binding("p,f5", "plan", "Plan", key_display="p", id="fix.plan"),
        Binding("r,f6", "repair", "Repair", key_display="r", id="fix.repair"),
        Binding("x", "stop", "Stop", id="fix.stop"),
        Binding("l", "log", "Log", id="fix.log"),
        Binding("d", "diff", "Change", id="fix.diff"),
        Binding("a", "apply", "Apply", id="fix.apply"),
        Binding("u", "undo", "Undo", id="fix.undo"),
        Binding("n", "anew", "Another", show=False, id="fix.anew"),
        *(Binding(str(at), f"step('{name}')", name.capitalize(), show=False, id=f"fix.{name}")
          for at, name in enumerate(STEPS, 1)),
    ]  # fmt: skip
    CSS = """
    Fix ContentSwitcher { height: 1fr; }
    Fix.-tall RepairForm, Fix.-tall RepairResult { padding: 1 2; }
    Fix.-tall RepairPlan .head, Fix.-tall RepairRun .head { padding: 1 1; }
    Fix .fault { height: auto; max-height: 8; padding: 0 1; color: $text-error; background: $surface; display: none; }
    Fix .fault.-there { display: block; }
    """

    if TYPE_CHECKING:
        app: Desk

    class Went(Message):
        """The repair is further."""

    def __init__(self, sheet: Sheet | None, recipe: str | None) -> None:
        super().__init__()
        self._sheet = sheet
        self._path = os.path.abspath(os.path.expanduser(recipe)) if recipe else None
        self.job = Job(None, "", draft_of(None, None, ())[0])
        self.seen = ""

    def compose(self) -> ComposeResult:
        """The four parts, of which one is seen."""
        self.job = self._job()
        self._parts = (RepairForm(self.job), RepairPlan(), RepairRun(), RepairResult())
        yield Bar()
        yield Static(classes="fault")
        with ContentSwitcher(initial="part-what"):
            for name, part in zip(STEPS, self._parts, strict=True):
                part.id = f"part-{name}"
                yield part
        yield Footer(compact=True)

    def _job(self) -> Job:
        """The repair of this subject: one that is there, else a new one."""
        repairs = repairs_of(self.app)
        subject = self._sheet if self._sheet is not None else self._path
        found = repairs.of(subject)
        if found is not None:
            return found
        if self._path and os.path.isfile(os.path.join(self._path, "parameters.json")):
            try:
                return repairs.add(Job.of_earlier(self._path))
            except TriageError as fault:
                self.call_after_refresh(self.app.say, fault)
        name = self._sheet.name if self._sheet is not None else self._path or "build"
        draft, _ = draft_of(None, self._path, ())
        return repairs.add(Job(subject, os.path.basename(name) or name, draft))

    def on_mount(self) -> None:
        """Follows the repair, and looks for what could be meant."""
        self.job.listeners.add(self._listen)
        self.set_interval(TICK, self._tick)
        self.run_worker(self._offer, thread=True, group="offers", exit_on_error=False)
        self.went()
        if self.seen == "what":
            self.query_one(RepairForm).focus_first()

    def on_screen_resume(self) -> None:
        """Back from a log or an article: the keys go to the part that is seen."""
        if self.seen:
            self._focus()

    def on_unmount(self) -> None:
        """The repair goes on alone."""
        self.job.listeners.discard(self._listen)

    def _listen(self) -> None:
        """In the repair's thread."""
        self.post_message(self.Went())

    def on_fix_went(self, event: Went) -> None:
        """Draws what is new."""
        event.stop()
        self.went()

    def _tick(self) -> None:
        if self.job.working:
            self.query_one(RepairRun).show(self.job)

    # -- which part is seen

    @property
    def command(self) -> str:
        """The command that does the same."""
        job = self.job
        if self.seen == "result" and job.done is not None and job.output:
            if job.applied:
                return f"triage fix --undo {shlex.quote(job.output)}"
            if job.done.status == "cured":
                return f"triage fix --apply {shlex.quote(job.output)}"
        words = job.draft.command
        return words.replace("triage fix", "triage fix --dry-run", 1) if self.seen == "plan" else words

    def went(self) -> None:
        """Draws the repair as it is now; a new phase brings its own part."""
        job = self.job
        wanted = {PLANNING: "run", RUNNING: "run", PLANNED: "plan", DONE: "result"}.get(job.phase, "what")
        fault = self.query_one(".fault", Static)
        fault.set_class(bool(job.fault), "-there")
        fault.update(self.plain_fault())
        self.query_one(RepairRun).show(job)
        self.query_one(RepairPlan).show(job)
        mark = (job.phase, id(job.plan), id(job.done), job.applied)
        if mark != self._mark:
            self._mark = mark
            self.run_worker(self.query_one(RepairResult).show(job), group="result", exit_on_error=False)
            self.see(wanted)
        self._tell()

    def see(self, name: str) -> None:
        """Shows a part, and gives it the keys."""
        self.seen = name
        self.query_one(ContentSwitcher).current = f"part-{name}"
        self.call_after_refresh(self._focus)
        self._tell()

    def _focus(self) -> None:
        part = self.query_one(f"#part-{self.seen}")
        if part.has_focus_within or self.app.screen is not self:
            return
        if isinstance(part, RepairForm):
            part.focus_first()
        elif isinstance(part, RepairResult):
            part.focus()
        else:
            part.query("DataTable").first().focus()

    def action_step(self, name: str) -> None:
        """Goes to a part."""
        self.see(name)

    def _tell(self) -> None:
        parts = [f"{at} {name.capitalize()}" for at, name in enumerate(STEPS, 1)]
        self.query_one(Bar).say(TITLE, parts, STEPS.index(self.seen or "what"), self.command)
        self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """``esc`` leaves a line of the form first."""
        if event.key == "escape" and isinstance(self.focused, Input):
            event.stop()
            event.prevent_default()
            self.query_one("#plan", Button).focus()

    # -- what could be meant

    def _offer(self) -> None:
        """In a worker: reads the log for commands, and the folders for recipes and earlier repairs."""
        draft, found = draft_of(self._sheet, self._path, self.app.memory.commands)
        self.app.call_from_thread(self._offered, draft, found, self.earlier())

    def _offered(self, draft: Draft, found: list[Offer], earlier: list[tuple[str, str]]) -> None:
        if not self.is_attached:
            return
        form = self.query_one(RepairForm)
        self.job.offers = found
        if not self.job.draft.line:
            form.fill(draft)
            form.focus_first()
        self.run_worker(form.show_offers(found, earlier), group="offers", exit_on_error=False)

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """Takes an offer, opens a change, an article or an earlier repair, copies a command."""
        event.stop()
        self.chosen(event.kind, event.value)

    # -- working

    def start(self, *, dry: bool) -> None:
        """Begins to plan or to repair, in a thread of the desk that outlives this screen."""
        job, archive = self.job, not self.app.chosen.read_only
        if job.draft.line.strip():
            self.app.memory.commands = used(self.app.memory.commands, job.draft)
        job.begin(dry=dry)
        self.app.run_worker(lambda: self._work(dry, archive), thread=True, group="repair", exit_on_error=False)
        self.went()

    def _work(self, dry: bool, archive: bool) -> None:
        """In a worker of the desk; where nobody looks at its end, it is told."""
        job, worker, desk = self.job, get_current_worker(), self.app
        job.work(dry=dry, archive=archive, ended=lambda: worker.is_cancelled)
        if not job.listeners and not worker.is_cancelled:
            desk.call_from_thread(desk.notify, f"The repair of {job.name} is over: {job.outcome}", markup=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that broke says so."""
        if event.state == WorkerState.ERROR:
            self.app.say(str(event.worker.error))
