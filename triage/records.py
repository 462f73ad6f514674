"""The frozen records that the steps hand over. No behaviour, no imports from triage.

Named tuples, because they are frozen, cheap to make and cost nothing to import.
Line numbers are 1-based in the input as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Evidence(NamedTuple):
    """A decisive line; ``start`` and ``end`` mark the part that the rule matched.

    ``frames`` are the lines that name a file of the Python traceback which this line ends, the innermost last.
    """

    line: int
    text: str
    start: int = 0
    end: int = 0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()


class Fix(NamedTuple):
    """A repair that answers a cause: id, title, and how safe it is."""

    id: str
    title: str
    safety: str


class Cause(NamedTuple):
    """A cause that was named for an incident."""

    id: str
    verdict: str
    by: str
    evidence: tuple[Evidence, ...]
    captures: Mapping[str, str]
    why: str
    fixes: tuple[Fix, ...] = ()


class RuledOut(NamedTuple):
    """A candidate that lost, with the reason in words."""

    id: str
    why: str


class Signature(NamedTuple):
    """A failure's text with its noise masked; ``kept`` holds what was masked."""

    version: str
    hash: str
    template: str
    kept: Mapping[str, Sequence[str]]


class Similar(NamedTuple):
    """An incident of the archive that is near to this one, and why."""

    id: str
    score: float
    cause: str
    state: str
    fix: str | None
    why: str


class Seen(NamedTuple):
    """What the archive knows of this very failure (same signature): ``builds`` of ``of`` had it."""

    group: str
    state: str
    times: int
    first: str
    last: str
    builds: int
    of: int
    owner: str | None = None
    note: str | None = None
    confirmed: str | None = None
    fix: str | None = None


class Incident(NamedTuple):
    """One independent failure, or a consequence of one (``consequence_of``)."""

    tool: str
    tool_version: str | None
    stage: str | None
    component: str | None
    model: str | None
    precision: str | None
    engine_version: str | None
    facts: Mapping[str, object]
    signature: Signature | None
    span: tuple[int, int]
    consequence_of: int | None
    causes: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...]
    similar: tuple[Similar, ...] = ()
    consequences: tuple[int, ...] = ()
    needed: str | None = None
    id: str | None = None
    seen: Seen | None = None


class Diagnosis(NamedTuple):
    """What one log says: a verdict and its incidents; ``primary`` indexes them."""

    verdict: str
    failure: bool
    primary: int | None
    incidents: tuple[Incident, ...]
    environment: Mapping[str, object]
    cut: Mapping[str, object] | None
    lines: int
    size: int


class Changed(NamedTuple):
    """What differs from the last good build: in a sentence, new lines (line, text, times), differences.

    A difference is (kind, name, before, after), None where it was not there.
    """

    sentence: str
    baseline: str
    worked: str
    new_lines: tuple[tuple[int, str, int], ...] = ()
    differences: tuple[tuple[str, str, str | None, str | None], ...] = ()


class Report(NamedTuple):
    """A diagnosis with the name of its source: what outputs draw. ``changed`` where there was a good build."""

    source: str
    diagnosis: Diagnosis
    changed: Changed | None = None


class Origin(NamedTuple):
    """Where a build ran: what a CI system or the machine says of itself."""

    host: str | None = None
    ci: str | None = None
    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    run_url: str | None = None
    job: str | None = None


class KeptLog(NamedTuple):
    """What is kept of a log while it is read: all of it, or its start and end. UTF-8."""

    head: bytes
    tail: bytes
    size: int
    lines: int


class Job(NamedTuple):
    """A job of a CI system: where it ran, for which change, and which code host shows it.

    ``system`` is github, gitlab, gitea, forgejo, jenkins, buildkite or shell; ``host`` the module of
    ``triage.ci`` that speaks to the code host, None where nobody knows it; ``api`` that host's own address.
    ``commit`` is the head of the change, never a merge that was made to test it. ``change`` is the number of
    the pull or merge request; ``base`` the branch it goes to. ``run`` is the id of the run or pipeline, ``job``
    of the job in it. ``name`` is what one comment is kept for: workflow, job and matrix.
    """

    system: str
    name: str
    host: str | None = None
    api: str | None = None
    repository: str | None = None
    commit: str | None = None
    branch: str | None = None
    base: str | None = None
    default_branch: str | None = None
    change: str | None = None
    run: str | None = None
    job: str | None = None
    attempt: int = 1
    run_url: str | None = None
    trusted: bool = True  # False for a change from a fork, whose token may only read


class Standing(NamedTuple):
    """How a failure stands in its history: the section it belongs to, the reason in words, whether to try again.

    ``section`` is change (probably caused by this change), flaky, main (also failing on the main branch),
    infrastructure or unknown. ``builds`` of ``of`` builds of this job had it.
    """

    section: str
    why: str
    retry: bool = False
    builds: int = 0
    of: int = 0


class Case(NamedTuple):
    """One failure as it is told to others: the incident, the log and the address it is from, its standing if known.

    ``changed`` is what differs from the last good build, where that is known.
    """

    incident: Incident
    source: str
    standing: Standing | None = None
    url: str | None = None
    changed: Changed | None = None
