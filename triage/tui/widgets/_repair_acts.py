"""What can be done with a repair: plan, run, stop, look at logs and changes, apply, take back."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.widgets import Button

from triage.ingest.text import plain
from triage.service.earlier import earlier_repairs
from triage.tui.deciding import READ_ONLY
from triage.tui.repairs import WHAT, Job, repairs_of
from triage.tui.widgets.question import Question
from triage.tui.widgets.repair_form import RepairForm
from triage.tui.widgets.repair_plan import RepairPlan
from triage.tui.widgets.repair_run import RepairRun
from triage.tui.widgets.signs import CHANGES

if TYPE_CHECKING:
    from textual.screen import Screen

    from triage.tui.app import Desk

    Base = Screen[None]
else:
    Base = object

MOST_EARLIER, MOST_LISTED = 6, 40


class RepairActs(Base):
    """Actions of the screen that shows a repair."""

    if TYPE_CHECKING:
        app: Desk
        job: Job
        seen: str

        def start(self, *, dry: bool) -> None: ...
        def went(self) -> None: ...
        def see(self, name: str) -> None: ...

    _mark: tuple[object, ...] = ()

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        if action in ("plan", "repair", "anew"):
            return self._why_no_start(action)
        if action in ("apply", "undo"):
            return self._why_no_change(action)
        return self._why_not_seen(action)

    def _why_not_seen(self, action: str) -> str:
        job = self.job
        if action == "stop":
            return "It is being stopped." if job.working and job.stopping else "" if job.working else "Nothing runs."
        if action == "diff" and not self._changes()[1]:
            return "Nothing was changed." if job.done or job.attempts else "Nothing was tried yet."
        if action == "log" and not (job.output or job.plan_log):
            return "Nothing was run yet."
        return ""

    def _why_no_start(self, action: str) -> str:
        other = repairs_of(self.app).working
        if other is self.job:
            return "It runs already: x stops it."
        if action == "anew":
            return ""
        if other is not None:
            return f"The repair of {other.name} runs: one at a time."
        return "" if self.job.draft.line.strip() else "Say first what fails: a command, or a recipe."

    def _why_no_change(self, action: str) -> str:
        job = self.job
        if self.app.chosen.read_only:
            return READ_ONLY
        if action == "undo":
            return "" if job.applied else "Nothing of this repair is applied."
        if job.done is None:
            return "There is no result yet."
        if job.done.status != "cured":
            return f"There is no cure to apply: {job.done.why}."
        return "It is applied already; u takes it back." if job.applied else ""

    def plain_fault(self) -> Content:
        """What went wrong, as a line."""
        return Content("\n".join(f"✗ {plain(line)}" for line in self.job.fault.split("\n")) if self.job.fault else "")

    # -- planning and running

    def action_plan(self) -> None:
        """Runs the build once, and says what would be tried."""
        self.start(dry=True)

    def action_repair(self) -> None:
        """Tries to cure it."""
        self.start(dry=False)

    def action_stop(self) -> None:
        """Asks, and ends what runs."""
        count = len(self.job.attempts)
        text = (
            f"{count} attempt{'s were' if count != 1 else ' was'} made so far. What runs now is ended; your own files "
            "are as they were, and what was tried is told and kept."
        )
        self.app.push_screen(Question("Stop this repair?", text, "Stop it", "Go on"), self._stopped)

    def _stopped(self, yes: bool | None) -> None:
        if yes:
            self.job.stop()

    def action_anew(self) -> None:
        """Back to what to repair."""
        self.job.anew()
        self.went()
        self.see(WHAT)

    # -- looking

    def action_log(self) -> None:
        """The log of the attempt under the cursor, or of the one that cured."""
        job = self.job
        number = 0
        if self.seen == "run":
            line = self.query_one(RepairRun).line
            number = line.number if line else 0
        elif self.seen == "result" and job.done and job.done.path:
            number = job.done.path[-1]
        about = f"attempt {number}" if number else "the build as it is"

        def running() -> bool:
            return job.working and (job.now.number == number if job.now else False)

        text = job.plan_log if number == 0 else b""
        self.app.go("build-log", about=about, logs=lambda: job.logs_of(number), running=running, text=text)

    def action_diff(self) -> None:
        """All changes: of the cure, or of the attempt under the cursor."""
        self._open_diff(0)

    def _open_diff(self, at: int) -> None:
        about, changes = self._changes()
        command = "" if about.startswith("attempt") else f"cat {shlex.quote(self._patch())}"
        self.app.go("diff", changes=changes, about=about, command=command, at=at)

    def _patch(self) -> str:
        return os.path.join(self.job.output, "changes.diff")

    def _changes(self) -> tuple[str, tuple[Any, ...]]:
        job = self.job
        if self.seen == "run":
            line = self.query_one(RepairRun).line
            attempt = line.attempt if line else None
            return (f"attempt {attempt.number}", attempt.changes) if attempt else ("", ())
        return (
            "the cure" if job.done and job.done.status == "cured" else "so far",
            job.done.changes if job.done else (),
        )

    def chosen(self, kind: str, value: str) -> None:
        """A row was chosen."""
        what, _, rest = value.partition(" ")
        if kind == "copy":
            self.app.copy(value, "the path" if value == self.job.output else "the command")
        elif kind == "fix":
            self.app.go("article", about=value)
        elif what == "offer":
            self.query_one(RepairForm).take(self.job.offers[int(rest)])
        elif what == "change":
            self._open_diff(int(rest))
        elif what == "earlier":
            self.app.go("fix", recipe=rest)

    def on_repair_plan_chosen(self, event: RepairPlan.Chosen) -> None:
        """The article of a repair."""
        event.stop()
        self.app.go("article", about=event.fix)

    def on_repair_run_chosen(self, event: RepairRun.Chosen) -> None:
        """The log of an attempt."""
        event.stop()
        self.action_log()

    def on_repair_form_changed(self, event: RepairForm.Changed) -> None:
        """The command of the bar follows the form."""
        event.stop()
        self._tell()  # type: ignore[attr-defined]

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons of the form do what the keys do."""
        event.stop()
        self.call_later(self.run_action, str(event.button.id))

    @staticmethod
    def earlier() -> list[tuple[str, str]]:
        """Earlier repairs: (folder, what it was)."""
        found = []
        for one in earlier_repairs(MOST_EARLIER):
            state = f"{one.status}, applied" if one.applied else one.status
            found.append((one.folder, f"{os.path.basename(one.folder)}  {state}  {shlex.join(one.command)}"))
        return found

    # -- changing the user's folder

    def action_apply(self) -> None:
        """Asks, and puts the cure into the user's folder."""
        done = self.job.done
        if done is None:
            return
        lines = [f"{CHANGES.get(one.kind, '~')} {plain(one.path)}  {one.kind}" for one in done.changes]
        more = [f"and {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
        proof = "" if done.verified else "\nThe outputs were not compared: it builds, no more is known."
        text = "\n".join([
            *lines[:MOST_LISTED], *more,
            "", "All of it or nothing; what stands there now is kept, and u takes it back." + proof,
        ])  # fmt: skip
        home = done.recipe.home or done.recipe.folder
        self.app.push_screen(Question(f"Change these in {plain(home)}?", text, "Apply"), self._apply)

    def _apply(self, yes: bool | None) -> None:
        if yes:
            self._change(self.job.apply)

    def action_undo(self) -> None:
        """Asks, and puts back what stood there before."""
        done = self.job.done
        home = plain(done.recipe.home or done.recipe.folder) if done else ""
        text = "All of it or nothing, and only where the files are still those of the cure."
        self.app.push_screen(Question(f"Take the cure back in {home}?", text, "Take back"), self._undo)

    def _undo(self, yes: bool | None) -> None:
        if yes:
            self._change(self.job.take_back)

    def _change(self, change: Any) -> None:
        def work() -> None:
            words, fault = change()
            self.app.call_from_thread(self._changed, words, fault)

        self.app.run_worker(work, thread=True, group="apply", exit_on_error=False)

    def _changed(self, words: str, fault: str) -> None:
        if fault:
            self.app.say(plain(fault))
        else:
            self.app.notify(plain(words), markup=False)
        if self.is_attached:
            self.went()
