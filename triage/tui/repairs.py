"""Repairs of the desk: each goes on here, whatever screen shows it. No Textual in here.

A repair works in a thread of the desk and tells how far it is by plain attributes, which are only ever replaced
whole, so that a screen may look at them at any time. ``listeners`` are called in that thread after each change.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import TriageError
from triage.remediate.leave import apply_left
from triage.remediate.taking_back import stands, take_back
from triage.service import fixing
from triage.service.earlier import earlier_repair
from triage.tui.drafts import Draft, Offer

if TYPE_CHECKING:
    from triage.remediate.state import State
    from triage.remedy import Attempt, Recipe, Remediation

WHAT, PLANNING, PLANNED, RUNNING, DONE = "what", "planning", "planned", "running", "done"
KEPT_LOG = 8 << 20  # bytes of a plan's log that are kept


class Now(NamedTuple):
    """What runs now: the attempt's number (0: the build as it is), what it does, and since when."""

    number: int
    what: str
    since: float


class Start(NamedTuple):
    """How the build went as it is: whether it succeeds, the cause, and the seconds."""

    good: bool
    cause: str | None
    seconds: float


class Job:
    """One repair of one subject: what is wanted, the plan, the attempts, the result.

    ``subject`` is a log's sheet, a path, or None where a person types what fails.
    """

    def __init__(self, subject: object, name: str, draft: Draft, offers: Iterable[Offer] = ()) -> None:
        self.subject = subject
        self.name = name
        self.draft = draft
        self.offers = list(offers)
        self.phase = WHAT
        self.fault = ""
        self.remark = ""
        self.recipe: Recipe | None = None
        self.plan: Remediation | None = None
        self.plan_log = b""
        self.done: Remediation | None = None
        self.attempts: tuple[Attempt, ...] = ()
        self.start: Start | None = None
        self.now: Now | None = None
        self.output = ""
        self.stopping = False
        self.applied = False
        self._archive = True
        self.listeners: set[Callable[[], None]] = set()

    @classmethod
    def of_earlier(cls, folder: str) -> Job:
        """A repair that an earlier day left behind. Raises UsageError."""
        done = earlier_repair(folder)
        path = os.path.abspath(folder)
        again = Draft(shlex.quote(os.path.join(path, "parameters.json")), done.recipe.folder)
        job = cls(path, os.path.basename(path), again)
        job.done, job.recipe, job.attempts, job.output = done, done.recipe, done.attempts, str(done.output)
        job.applied, job.phase = stands(folder), DONE
        return job

    @property
    def working(self) -> bool:
        """Whether a build runs, or is about to."""
        return self.phase in (PLANNING, RUNNING)

    @property
    def outcome(self) -> str:
        """How it ended, in a few words."""
        if self.fault:
            return self.fault
        if self.phase == PLANNED:
            return "the plan stands"
        return "stopped" if self.done and self.done.interrupted else self.done.why if self.done else ""

    @property
    def logs(self) -> str:
        """The folder of its logs; it moves when the repair is over."""
        inside = os.path.join(self.output, fixing.WORK, fixing.LOGS)
        return inside if os.path.isdir(inside) else os.path.join(self.output, fixing.LOGS)

    def logs_of(self, number: int) -> list[tuple[str, str]]:
        """The logs of an attempt that are there: (what it is, path)."""
        names = (("build", f"{number:02d}-build.log"), ("check", f"{number:02d}-verify.log"))
        found = [(what, os.path.join(self.logs, name)) for what, name in names] if self.output else []
        return [(what, path) for what, path in found if os.path.isfile(path)]

    def tell(self) -> None:
        """Something changed."""
        for listener in tuple(self.listeners):
            listener()

    # -- in a thread of its own

    def work(self, *, dry: bool, archive: bool = True, ended: Callable[[], bool] = lambda: False) -> None:
        """Plans, or repairs, to the end; ``begin`` comes before it. Every fault is told in words.

        Args:
            dry: only plan.
            archive: whether the archive may be asked and written to; the draft must want it, too.
            ended: is asked again and again; True (the desk ends) stops it as ``stop`` does.
        """
        self._archive = archive and self.draft.archive
        watch = _Watch(self, lambda: self.stopping or ended())
        try:
            recipe, steps = self.draft.build()
            self.recipe = recipe
            self.output = fixing.output_folder(recipe._replace(name="plan") if dry else recipe)
            self.tell()
            told = self._plan(watch, recipe) if dry else self._repair(watch, recipe, steps)
        except (TriageError, OSError) as fault:
            self._failed(str(fault), dry=dry)
        except KeyboardInterrupt:
            self._failed("It was stopped before anything ran.", dry=dry)
        else:
            self._ended(told, dry=dry)
        finally:
            if self.working:  # nothing of the above: what it was goes on to the worker, and a person is told
                trouble = sys.exc_info()[1]
                self._failed(f"triage broke on its own: {type(trouble).__name__}: {trouble}", dry=dry)
            self.now = None
            self.tell()

    def begin(self, *, dry: bool) -> None:
        """From now on it works: what an earlier try told is gone."""
        self.phase, self.fault, self.remark, self.stopping = PLANNING if dry else RUNNING, "", "", False
        self.attempts, self.start, self.done, self.applied, self.output = (), None, None, False, ""
        self.tell()

    def _plan(self, watch: _Watch, recipe: Recipe) -> fixing.Fixed:
        return fixing.plan_build(
            recipe, self.draft.settings(), watch, self.output, with_archive=self._archive, stop=watch.stop
        )

    def _repair(self, watch: _Watch, recipe: Recipe, steps: Iterable[object]) -> fixing.Fixed:
        return fixing.fix_and_file(
            recipe, self.draft.settings(), watch, self.output, with_archive=self._archive,
            steps=list(steps), stop=watch.stop,  # type: ignore[arg-type]
        )  # fmt: skip

    def _ended(self, told: fixing.Fixed, *, dry: bool) -> None:
        self.remark = told.remark
        if dry:
            self.plan_log = _end_of(os.path.join(self.logs, "00-build.log"))
            self._clear()
            self.plan = told.done
            self.phase = WHAT if told.done.interrupted else PLANNED
            self.fault = "Planning was stopped; nothing was changed." if told.done.interrupted else ""
        else:
            self.done, self.attempts, self.phase = told.done, told.done.attempts, DONE

    def _failed(self, words: str, *, dry: bool) -> None:
        self.fault = words
        self.phase = WHAT if dry or self.plan is None else PLANNED
        self._clear()

    def _clear(self) -> None:
        if self.output:
            shutil.rmtree(self.output, ignore_errors=True)
        self.output = ""

    # -- from the screen

    def stop(self) -> None:
        """Ends what runs; the files are as they were, and what was tried is told."""
        self.stopping = True
        self.tell()

    def anew(self) -> None:
        """Back to what to repair; the form keeps what was typed."""
        if not self.working:
            self.phase, self.fault = WHAT, ""

    def apply(self) -> tuple[str, str]:
        """Puts the cure into the user's folder, all or nothing; gives what was done, and the fault."""
        try:
            recipe, paths = apply_left(self.output)
        except (TriageError, OSError) as fault:
            return "", str(fault)
        self.applied = stands(self.output)
        self.tell()
        what = (
            f"{len(paths)} file{'s' if len(paths) != 1 else ''}" if paths else "Nothing (the cure is a changed command)"
        )
        return f"{what} changed in {recipe.folder}.", ""

    def take_back(self) -> tuple[str, str]:
        """Puts back what stood there before, all or nothing; gives what was done, and the fault."""
        try:
            home, paths = take_back(self.output)
        except (TriageError, OSError) as fault:
            return "", str(fault)
        self.applied = False
        self.tell()
        return f"{_files(paths)} as before in {home}.", ""


class _Watch:
    """Tells a job how its repair goes on; a stop is to the repair what Ctrl-C is to the command."""

    def __init__(self, job: Job, stop: Callable[[], bool]) -> None:
        self._job = job
        self.stop = stop

    def started(self, number: int, what: str) -> None:
        """An attempt begins."""
        self._check()
        self._job.now = Now(number, what, time.monotonic())
        self._job.tell()

    def diagnosed(self, state: State) -> None:
        """The build as it is was run."""
        seconds = state.result.seconds if state.result else 0.0
        self._job.start = Start(state.good, state.cause, seconds)
        self._job.now = None
        self._job.tell()

    def running(self, seconds: float) -> bool:
        """While a build runs."""
        del seconds
        return True

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over."""
        self._job.attempts = (*self._job.attempts, attempt)
        self._job.now = None
        self._job.tell()
        self._check()

    def _check(self) -> None:
        if self.stop():
            raise KeyboardInterrupt


class Repairs:
    """All repairs of this desk; at most one of them works at a time."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    @property
    def working(self) -> Job | None:
        """The one whose build runs now."""
        return next((job for job in self.jobs if job.working), None)

    def of(self, subject: object) -> Job | None:
        """The repair of a subject; of none the one that works, else the newest that has a result."""
        if subject is None:
            done = [job for job in self.jobs if job.subject is None or job.phase == DONE]
            return self.working or (done[-1] if done else None)
        return next((job for job in self.jobs if job.subject is subject or job.subject == subject), None)

    def add(self, job: Job) -> Job:
        """Takes a repair in."""
        self.jobs.append(job)
        return job

    def stop(self) -> None:
        """The desk ends: so does what runs."""
        if self.working:
            self.working.stop()


def repairs_of(desk: object) -> Repairs:
    """The repairs that live on a desk."""
    found = getattr(desk, "repairs", None)
    if not isinstance(found, Repairs):
        found = Repairs()
        desk.repairs = found  # type: ignore[attr-defined]
    return found


def _end_of(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.path.getsize(path) - KEPT_LOG))
            return stream.read()
    except OSError:
        return b""


def _files(paths: list[str]) -> str:
    if not paths:
        return "No file (the cure is a changed command)"
    return f"{len(paths)} file{'s' if len(paths) != 1 else ''}"
