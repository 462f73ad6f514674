"""The frozen records of repairing: what is run, changed, tried and proven. Imports nothing from triage.

Paths inside a build are relative to its folder, with forward slashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

RESULTS = ("cured", "moved-on", "same", "worse", "not-run")
STATUSES = ("cured", "moved-on", "not-cured", "nothing-to-try", "refused")
SAFETIES = ("safe", "unsafe", "manual")


class Verify(NamedTuple):
    """What *cured* means beyond exit code 0.

    Either ``command`` (exit 0 when the outputs are right), or ``reference``: a model file, or
    ``torch:module:function``. ``inputs`` is an ``.npz`` file, or input name -> shape.
    ``rtol`` and ``atol`` are None where the tolerance of the precision holds.
    """

    command: tuple[str, ...] = ()
    reference: str | None = None
    inputs: str | Mapping[str, tuple[int, ...]] | None = None
    rtol: float | None = None
    atol: float | None = None


class Recipe(NamedTuple):
    """A build that can be run again.

    ``folder`` is absolute: where the command runs. ``files`` are what a fix may change (a name that
    ends in ``/`` is a folder). ``protected`` are files that no fix may touch, such as references.
    ``target`` is set where triage wrote the command itself (``triage fix MODEL --target``); ``home`` is then the
    user's folder, from which the model was taken.
    """

    name: str
    folder: str
    command: tuple[str, ...]
    files: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    timeout: float = 600.0
    verify: Verify | None = None
    environment: Mapping[str, str] = {}
    target: str | None = None
    protected: tuple[str, ...] = ()
    home: str | None = None


class Limits(NamedTuple):
    """What a child process may use: seconds, bytes of memory, bytes of its log, bytes of free disk to leave."""

    seconds: float = 600.0
    memory: int | None = None
    log: int = 512 << 20
    free_disk: int = 256 << 20


class BuildSpec(NamedTuple):
    """One run of a command in a folder; ``log`` is the path that takes what it prints.

    ``guarded`` is a folder that the command must not be able to write to.
    """

    command: tuple[str, ...]
    folder: str
    log: str
    limits: Limits = Limits()
    environment: Mapping[str, str] = {}
    guarded: str | None = None


class BuildResult(NamedTuple):
    """How a run ended.

    ``ended`` is ``exit`` (``exit_code`` as a shell says it), ``timeout``, ``memory``, ``disk`` or ``log``
    (a limit, then the process was killed), ``not-started`` (``why`` says it) or ``interrupted``.
    """

    exit_code: int
    ended: str
    seconds: float
    log: str
    why: str = ""

    @property
    def good(self) -> bool:
        """The command ran to its end and said 0."""
        return self.ended == "exit" and self.exit_code == 0


class Change(NamedTuple):
    """One thing that differs from the user's files.

    ``kind`` is added, modified, removed, renamed or command; ``diff`` is a unified diff, or a description
    of a binary file's change.
    """

    path: str
    kind: str
    diff: str


class Proposal(NamedTuple):
    """One way to try a fix here: ``what`` in a sentence, and the parameters that ``apply`` takes (JSON).

    ``safety`` stands where this proposal is more or less safe than its fix; ``rank`` orders the proposals
    of one fix (lower first). ``keeps`` is False where the outputs are meant to change. ``guess``: one of several
    readings of the same thing; it only stands where the recipe's check turns the others down.
    """

    what: str
    parameters: Mapping[str, Any] = {}
    safety: str | None = None
    rank: int = 0
    keeps: bool = True
    guess: bool = False


class Refusal(NamedTuple):
    """A fix knows this defect, and knows that nothing safe can be done: ``why``, and what a person can do."""

    why: str
    todo: str = ""


class Step(NamedTuple):
    """A proposal with the fix that made it; what a plan is made of."""

    fix: str
    what: str
    parameters: Mapping[str, Any]
    safety: str
    keeps: bool = True
    guess: bool = False


class ByHand(NamedTuple):
    """What only a person can do: a title, and commands ready to copy."""

    fix: str
    title: str
    commands: tuple[str, ...] = ()


class Proof(NamedTuple):
    """How the outputs were compared.

    ``verified`` is None where nothing could be compared (``how`` says why). ``numbers`` hold, a row an output:
    name, number of values, largest absolute and relative difference, tolerance, equal.
    """

    verified: bool | None
    how: str
    reference: str = ""
    numbers: tuple[Mapping[str, Any], ...] = ()


class Attempt(NamedTuple):
    """One step that was tried, and what came of it.

    ``number`` counts from 1; ``parent`` is the attempt that it builds on, 0 the build as it was.
    """

    number: int
    parent: int
    step: Step
    result: str
    why: str
    changes: tuple[Change, ...] = ()
    cause_before: str | None = None
    cause_after: str | None = None
    signature_before: str | None = None
    signature_after: str | None = None
    exit_code: int | None = None
    seconds: float = 0.0
    log: str | None = None
    proof: Proof | None = None


class Remediation(NamedTuple):
    """What became of a build.

    ``path`` are the numbers of the attempts that together are the cure (or the furthest point reached).
    ``report`` is the JSON body of the first diagnosis. ``output`` is the folder of what is left behind.
    """

    recipe: Recipe
    status: str
    verified: bool | None
    why: str
    attempts: tuple[Attempt, ...]
    path: tuple[int, ...]
    changes: tuple[Change, ...]
    command: tuple[str, ...]
    cause: str | None
    proof: Proof | None = None
    by_hand: tuple[ByHand, ...] = ()
    skipped: tuple[Step, ...] = ()
    output: str | None = None
    seconds: float = 0.0
    interrupted: bool = False
    incident: str | None = None
