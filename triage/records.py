"""The frozen records that the steps hand over. No behaviour, no imports from triage.

Named tuples, because they are frozen, cheap to make and cost nothing to import.
Line numbers are 1-based in the input as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Evidence(NamedTuple):
    """A decisive line; ``start`` and ``end`` mark the part that the rule matched."""

    line: int
    text: str
    start: int = 0
    end: int = 0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


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
