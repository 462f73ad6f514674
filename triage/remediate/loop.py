"""The search for a cure: diagnose, plan, apply on a copy, run and diagnose again, until cured or nothing is left."""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from triage.backends._child import run
from triage.knowledge import Knowledge
from triage.records import Report
from triage.remediate import clash, doubt, plan, sandbox
from triage.remediate.difference import changes
from triage.remediate.ending import Seen, ending
from triage.remediate.freezing import froze_values
from triage.remediate.judge import judge
from triage.remediate.state import State
from triage.remedy import (
    Attempt,
    BuildResult,
    BuildSpec,
    ByHand,
    Change,
    Limits,
    Proof,
    Recipe,
    Refusal,
    Remediation,
    Step,
)
from triage.workspace import File, Workspace, copy_of, guardable

Diagnose = Callable[[str, BuildResult], Report]
Prove = Callable[[Recipe, State, Workspace, str], Proof]


class Settings(NamedTuple):
    """Limits of a repair: attempts, seconds for all of them, bytes of memory a run may take.

    ``unsafe`` tries unsafe fixes too; ``dry`` only plans; ``worked`` are fixes that cured this failure before.
    """

    attempts: int = 20
    seconds: float = 3600.0
    memory: int | None = None
    unsafe: bool = False
    dry: bool = False


class Watch(Protocol):
    """Is told how a repair goes on. ``running`` returns False to interrupt it."""

    def started(self, number: int, what: str) -> None:
        """An attempt begins; number 0 is the build as it is."""

    def diagnosed(self, state: State) -> None:
        """The build as it is was run and diagnosed."""

    def running(self, seconds: float) -> bool:
        """Again and again while something runs."""

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over."""


class Tools(NamedTuple):
    """What the loop is handed from above: ways to diagnose a log, to prove outputs, and what worked before."""

    diagnose: Diagnose
    prove: Prove
    knowledge: Knowledge
    worked: Callable[[str | None], Sequence[str]]
    watch: Watch


class Repair:
    """One repair of one build; ``place`` is a folder of its own for copies and logs."""

    def __init__(self, recipe: Recipe, settings: Settings, tools: Tools, place: str) -> None:
        self.recipe = recipe
        self.base: Workspace | None = None
        self.base_files: dict[str, File] = {}
        self.start: State | None = None
        self.best: State | None = None
        self.attempts: list[Attempt] = []
        self.refusals: list[tuple[str, Refusal]] = []
        self.skipped: list[Step] = []
        self.manual: list[ByHand] = []
        self._settings = settings
        self._tools = tools
        self._place = place
        self._fixes = plan.known_fixes()
        self._queue: list[tuple[tuple[int, int, int], int, State, Step]] = []
        self._sequence = itertools.count()
        self._seen: set[str] = set()
        self._clock = time.monotonic()
        self.interrupted = False

    def search(self, steps: Sequence[Step] = ()) -> Remediation:
        """Runs the build as it is, then tries what may cure it.

        Args:
            steps: where these are given only they are tried, one on the other: doing an earlier repair again.
        """
        os.makedirs(os.path.join(self._place, "logs"), exist_ok=True)
        os.makedirs(os.path.join(self._place, "tmp"), exist_ok=True)
        try:
            self._begin()
            if self.start and not self.start.good:
                self._again(self.start, steps) if steps else self._look(self.start)
        except KeyboardInterrupt:
            self.interrupted = True
        return self._remediation()

    def _look(self, start: State) -> None:
        self._expand(start)
        while self._queue and not self._settings.dry and not self._over() and not self._cured():
            parent, step = heapq.heappop(self._queue)[2:]
            state = self._try(parent, step)
            if state and self._cured():
                self._doubt(parent, step, state)
            for done in filter(None, (state, parent)):
                self._release(done)

    def _doubt(self, parent: State, step: Step, state: State) -> None:
        """A reading that was guessed stands only where the recipe's check turns the other readings down."""
        waiting = [entry[3] for entry in sorted(self._queue, key=lambda entry: entry[:2]) if entry[2] is parent]
        for other in doubt.rivals(step, state, waiting):
            second = self._try(parent, other, expand=False)
            self.best = state
            refusal = second and doubt.undecided(self.recipe.outputs, (step, state), (other, second))
            if refusal:
                self.refusals.insert(0, (step.fix, refusal))
                self.best = self.start
                self._queue.clear()
                return

    def _release(self, state: State) -> None:
        """Copies of states that lead nowhere give their disk back."""
        kept = state is self.best or state.workspace is self.base
        if not kept and not any(entry[2] is state for entry in self._queue):
            state.workspace.remove()

    def _again(self, start: State, steps: Sequence[Step]) -> None:
        state: State | None = start
        for step in steps:
            state = self._try(state, step, expand=False) if state else None

    def _begin(self) -> None:
        self._tools.watch.started(0, "the build as it is")
        self.base = copy_of(self.recipe.folder, os.path.join(self._place, "base"))
        state = State(self.base, self.recipe.command)
        self.base_files = state.files()
        self._seen.add(state.key())
        self._run(state, 0)
        self.start = self.best = state
        self._tools.watch.diagnosed(state)

    def _run(self, state: State, number: int) -> None:
        """Runs the build in a fork of the state's copy, diagnoses and compares it."""
        state.ran = state.workspace.fork(os.path.join(self._place, f"run{number}"))
        log = os.path.join(self._place, "logs", f"{number:02d}-build.log")
        state.result = clash.settled(lambda: self._run_once(state, log))
        self._check_outputs(state)
        _replace(log, state.ran.root, self.recipe.folder)
        state.proof = Proof(None, "the build does not succeed")
        if state.result.good:
            state.proof = self._proof(state, number)
        if not state.good:
            state.report = self._tools.diagnose(log, state.result)

    def _run_once(self, state: State, log: str) -> BuildResult:
        for output in self.recipe.outputs:  # what an earlier build left must not pass for this one's
            if state.ran and output not in self.recipe.files and os.path.isfile(state.ran.path(output)):
                os.unlink(state.ran.path(output))
        return run(self._spec(state, state.command, log, self.recipe.timeout), self._tools.watch.running)

    def _check_outputs(self, state: State) -> None:
        assert state.ran is not None and state.result is not None  # noqa: S101, PT018 -- for the type checker
        missing = [name for name in self.recipe.outputs if not os.path.exists(state.ran.path(name))]
        if state.result.good and missing:
            text = f"triage: the command ended with exit code 0, but did not write {', '.join(missing)}"
            with open(state.result.log, "a", encoding="utf-8") as stream:
                stream.write(f"\n{text}\n")
            state.result = state.result._replace(exit_code=1, why=text)

    def _spec(self, state: State, command: tuple[str, ...], log: str, seconds: float) -> BuildSpec:
        assert state.ran is not None  # noqa: S101
        left = self._settings.seconds - (time.monotonic() - self._clock)
        limits = Limits(seconds=max(1.0, min(seconds, left)), memory=self._settings.memory)
        environment = {"TMPDIR": os.path.join(self._place, "tmp"), **self.recipe.environment}
        words = tuple(word.replace(self.recipe.folder, state.ran.root) for word in command)
        return BuildSpec(words, state.ran.root, log, limits, environment, guardable(self.recipe.folder))

    def _proof(self, state: State, number: int) -> Proof:
        verify = self.recipe.verify
        log = os.path.join(self._place, "logs", f"{number:02d}-verify.log")
        if not (verify and verify.command):
            assert self.base is not None  # noqa: S101
            return self._tools.prove(self.recipe, state, self.base, log)
        result = run(self._spec(state, verify.command, log, self.recipe.timeout), self._tools.watch.running)
        _replace(log, state.ran.root if state.ran else "", self.recipe.folder)
        with open(log, encoding="utf-8", errors="replace") as stream:
            said = [line.strip() for line in stream.read(1 << 20).split("\n") if line.strip()]
        if result.good:
            passed = Proof(True, "the recipe's own check passes" + (f": {said[-1][:200]}" if said else ""))
            return self._frozen(state, number) or passed
        _append(state.result.log if state.result else log, log)
        why = next((line for line in reversed(said) if not line.startswith("Process completed")), result.why)
        return Proof(False, f"the recipe's own check fails: {why[:200]}")

    def _frozen(self, state: State, number: int) -> Proof | None:
        """Why a check that passes is not enough: tracing took values for constants, and other inputs come out wrong."""
        if self.base is None or state.result is None or not froze_values(state.result):
            return None
        log = os.path.join(self._place, "logs", f"{number:02d}-own.log")
        own = self._tools.prove(self.recipe, state, self.base, log)
        return own if own.verified is False else None

    def _expand(self, state: State) -> None:
        """Puts all that can be tried from here into the queue."""
        found = state.found()
        worked = self._tools.worked(state.signature)
        fixes = plan.order(found.causes, self._tools.knowledge, self._fixes, worked)
        answer = sandbox.propose(fixes, state, self.recipe, self._place)
        state.refused = [refusal for _, refusal in answer.refusals]
        self.refusals += [each for each in answer.refusals if each not in self.refusals]
        for fix, why in answer.failed:
            self._record(state, Step(fix, "look at the build", {}, "safe"), "not-run", why)
        for place, step in enumerate(answer.steps):
            if step.safety == "manual":
                self._by_hand(step)
            elif step.safety == "unsafe" and not self._settings.unsafe:
                self.skipped += [step] if step not in self.skipped else []
            elif _name(step) not in state.tried:
                heapq.heappush(self._queue, ((-state.progress, state.idle, place), next(self._sequence), state, step))

    def _by_hand(self, step: Step) -> None:
        told = ByHand(step.fix, step.what, tuple(step.parameters.get("commands", ())))
        if told not in self.manual:
            self.manual.append(told)

    def _try(self, parent: State, step: Step, *, expand: bool = True) -> State | None:
        """One attempt; gives the state that it led to, None where nothing was run."""
        number = len(self.attempts) + 1
        self._tools.watch.started(number, step.what)
        started = time.monotonic()
        workspace = Workspace(os.path.join(self._place, f"work{number}"), parent.workspace.origin)
        state = State(
            workspace, parent.command, (*parent.path, number), progress=parent.progress, idle=parent.idle,
            keeps=parent.keeps and step.keeps, tried=parent.tried | {_name(step)},
        )  # fmt: skip
        try:
            refused = self._made(parent, step, state)
        except OSError as fault:
            if fault.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            refused = f"there is no room for one more copy: {fault.strerror}"
        if refused:
            self._give_up(parent, step, refused, state, started)
            return None
        result, why = judge(parent, state)
        state.progress += result == "moved-on"
        state.idle += {"same": 1, "worse": 2}.get(result, 0)
        self._record(parent, step, result, why, state, time.monotonic() - started)
        self._keep(state, result, expand=expand)
        return state

    def _made(self, parent: State, step: Step, state: State) -> str:
        """Applies a step in a copy and runs the build there; why it was not run, empty where it was."""
        parent.workspace.fork(state.workspace.root)
        staged = State(state.workspace, parent.command, ran=parent.ran, result=parent.result, report=parent.report)
        applied = sandbox.apply(step, staged, self.recipe, self._place)
        state.changed()
        if applied.command is None:
            return applied.why
        state.command = applied.command
        key = state.key()
        if key in self._seen:
            return "it changes nothing here" if key == parent.key() else "this state was tried before"
        self._seen.add(key)
        self._run(state, state.path[-1])
        return ""

    def _give_up(self, parent: State, step: Step, why: str, state: State, started: float) -> None:
        for copy in filter(None, (state.workspace, state.ran)):
            copy.remove()
        self._record(parent, step, "not-run", why, seconds=time.monotonic() - started)

    def _keep(self, state: State, result: str, *, expand: bool) -> None:
        assert self.best is not None  # noqa: S101
        if result == "cured" or (result == "moved-on" and state.progress > self.best.progress and not self.best.good):
            self.best = state
        if expand and result != "cured" and not self._over():
            self._expand(state)
        if result != "cured" and state.ran:
            state.ran.remove()

    def _record(
        self, parent: State, step: Step, result: str, why: str, state: State | None = None, seconds: float = 0.0
    ) -> None:
        attempt = Attempt(
            len(self.attempts) + 1, parent.path[-1] if parent.path else 0, step, result, why,
            cause_before=parent.cause, signature_before=parent.signature, seconds=round(seconds, 2),
        )  # fmt: skip
        if state is not None and state.result is not None:
            attempt = attempt._replace(
                changes=_between(parent, state),
                cause_after=state.cause, signature_after=state.signature, exit_code=state.result.exit_code,
                log=os.path.basename(state.result.log), proof=state.proof,
            )  # fmt: skip
        self.attempts.append(attempt)
        self._tools.watch.ended(attempt)

    def _over(self) -> bool:
        ran = sum(attempt.result != "not-run" for attempt in self.attempts)
        spent = time.monotonic() - self._clock
        broken = len(self.attempts) >= 3 * self._settings.attempts
        return ran >= self._settings.attempts or broken or spent > self._settings.seconds

    def _cured(self) -> bool:
        return bool(self.best and self.best.good)

    def _remediation(self) -> Remediation:
        best, start = self.best, self.start
        told = list(_between(start, best)) if start and best else []
        seen = self._facts()
        status, why = ending(seen)
        planned = (
            tuple(entry[3] for entry in sorted(self._queue, key=lambda entry: entry[:2])) if self._settings.dry else ()
        )
        return Remediation(
            recipe=self.recipe,
            status=status,
            verified=best.proof.verified if status == "cured" and best and best.proof else None,
            why=why,
            attempts=tuple(self.attempts),
            path=best.path if best else (),
            changes=tuple(told),
            command=best.command if best else self.recipe.command,
            cause=start.cause if start else None,
            proof=best.proof if best else None,
            by_hand=seen.hands,
            skipped=(*self.skipped, *planned),
            seconds=round(time.monotonic() - self._clock, 2),
            interrupted=self.interrupted,
        )

    def _facts(self) -> Seen:
        refusals = tuple(refusal for _, refusal in self.refusals)
        hands = tuple(self._hands())
        return Seen(
            self.start, self.best, tuple(self.attempts), refusals, tuple(self.skipped), hands, self._tools.knowledge,
            self._fixes, over=self._over(),
        )  # fmt: skip

    def _hands(self) -> Iterator[ByHand]:
        yield from self.manual
        cause = self.best.cause if self.best else None
        for fix, title in plan.by_hand(cause, self._tools.knowledge, self._fixes):
            yield ByHand(fix, title)
        for fix, refusal in self.refusals:
            if refusal.todo:
                yield ByHand(fix, refusal.todo)


def _between(before: State, after: State) -> tuple[Change, ...]:
    commands, files = (before.command, after.command), (before.files(), after.files())
    return changes(before.workspace, after.workspace, commands, files)


def _name(step: Step) -> str:
    return f"{step.fix} {step.what}"


def _replace(path: str, old: str, new: str) -> None:
    """Puts the user's own folder for the copy's in a log."""
    if not old or os.path.getsize(path) > 64 << 20:
        return
    with open(path, "rb") as stream:
        data = stream.read()
    if old.encode() in data:
        with open(path, "wb") as stream:
            stream.write(data.replace(old.encode(), new.encode()))


def _append(path: str, other: str) -> None:
    with open(path, "ab") as log, open(other, "rb") as stream:
        log.write(b"\n" + stream.read(4 << 20))
