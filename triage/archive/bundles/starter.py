"""The starter archive: ``kb/starter/*.yaml`` -> incidents whose cause and cure are known.

Each case is diagnosed with today's rules and filed with a fixed time, so that ids stay the same
on every machine. A case whose text changed with a new release replaces the old one where nobody
here has said anything about it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, exists, insert, or_, select

from triage.archive.bundles.deciding import TAKEN, UNTOUCHED, Conflict, Incoming, Visit, join
from triage.archive.bundles.importing import COUNTED, Taken, recorded, writing
from triage.archive.filing import Filed, file_builds
from triage.archive.merging import recount
from triage.archive.rows import NewBuild
from triage.archive.session import Archive
from triage.archive.tables import Build, Confirmation, Group, History, Incident, Log
from triage.errors import InputError, KnowledgeFault
from triage.folders import data_folder
from triage.records import Cause, Evidence, KeptLog, Origin, Report
from triage.records import Incident as Failure
from triage.signature import sign

ORIGIN = "field guide"
ACTOR = "triage"
AT = datetime(2026, 11, 1, tzinfo=UTC)
_TEXTS = ("title", "kind", "tool", "stage", "cause", "state", "log", "note")
_MAYBE = ("model", "precision", "engine_version", "fix", "wrong")
_SEEN = "what people see, in words; no tool prints a line of its own here"


class Case(NamedTuple):
    """One file of the starter archive. ``edition`` names its content."""

    id: str
    edition: str
    title: str
    kind: str
    tool: str
    stage: str
    cause: str
    state: str
    log: str
    note: str
    items: tuple[str, ...]
    silent: bool
    model: str | None = None
    precision: str | None = None
    engine_version: str | None = None
    fix: str | None = None
    wrong: str | None = None

    @property
    def words(self) -> str:
        """What was found, and what common advice gets wrong."""
        return self.note.strip() + (f"\nNot true here: {self.wrong.strip()}" if self.wrong else "")


Diagnose = Callable[[bytes, str], Report]
MakeBuild = Callable[[Report, KeptLog], NewBuild]


def read_cases(folder: str | None = None) -> list[Case]:
    """All cases, by id. Raises KnowledgeFault with every fault found, InputError where there are none."""
    import yaml

    folder = folder or os.path.join(data_folder("kb"), "starter")
    faults: list[str] = []
    cases = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if not name.endswith(".yaml"):
            continue
        with open(os.path.join(folder, name), "rb") as stream:
            data = stream.read()
        try:
            raw = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as fault:
            faults.append(f"{name}: is no YAML: {' '.join(str(fault).split())}")
            continue
        case = _case(name.removesuffix(".yaml"), sha256(data).hexdigest(), raw)
        if isinstance(case, str):
            faults.append(f"{name}: {case}")
        else:
            cases.append(case)
    if faults:
        raise KnowledgeFault(faults)
    if not cases:
        raise InputError(f"{folder} holds no starter archive: reinstall triage")
    return cases


def _case(name: str, edition: str, raw: Any) -> Case | str:
    if not isinstance(raw, dict) or not all(isinstance(raw.get(key), str) for key in _TEXTS):
        return f"needs {', '.join(_TEXTS)}, each a text"
    items = raw.get("items") or []
    if not isinstance(items, list):
        return "items must be a list"
    texts = {key: str(raw[key]) for key in (*_TEXTS, *_MAYBE) if raw.get(key) is not None}
    return Case(id=name, edition=edition, items=tuple(map(str, items)), silent=bool(raw.get("silent")), **texts)


def import_starter(
    archive: Archive,
    cases: Sequence[Case],
    *,
    diagnose: Diagnose,
    new_build: MakeBuild,
    dry_run: bool = False,
) -> Taken:
    """Files the starter archive, or brings it up to date.

    Args:
        archive: where to.
        cases: what ``read_cases`` gave.
        diagnose: log and name -> report, with today's rules.
        new_build: a report and its log -> what is filed of them.
        dry_run: do everything, say what it came to, and take it back.
    """
    builds = [_build(case, diagnose, new_build) for case in cases]
    digest = sha256("".join(f"{case.id} {case.edition}\n" for case in cases).encode()).hexdigest()
    with writing(archive, dry_run=dry_run) as connection:
        return _Starter(connection, Visit(ORIGIN, digest)).run(cases, builds)


def _build(case: Case, diagnose: Diagnose, new_build: MakeBuild) -> NewBuild:
    data = case.log.encode()
    report = diagnose(data, f"{ORIGIN}: {case.title}")
    found = report.diagnosis
    failures = tuple(_completed(case, one) for one in found.incidents) or (_observed(case),)
    verdict = failures[0].causes[0].verdict
    found = found._replace(incidents=failures, failure=True, primary=found.primary or 0, verdict=verdict)
    made = new_build(report._replace(diagnosis=found), KeptLog(data, b"", len(data), data.count(b"\n")))
    about = {"case": case.id, "edition": case.edition, "kind": case.kind, "items": list(case.items)}
    return made._replace(
        at=AT,
        outcome="failed",
        origin=Origin(repository=ORIGIN, job=case.id),
        key="",
        model=case.model or made.model,
        stage=case.stage,
        parameters={**about, "silent": case.silent},
    )


def _completed(case: Case, failure: Failure) -> Failure:
    """What the log does not say, the case does."""
    return failure._replace(
        model=failure.model or case.model,
        precision=failure.precision or case.precision,
        engine_version=failure.engine_version or case.engine_version,
        stage=failure.stage or case.stage,
    )


def _observed(case: Case) -> Failure:
    """A case without any line of failure: what was observed is its text."""
    lines = case.log.splitlines() or [case.title]
    evidence = tuple(Evidence(number, text) for number, text in enumerate(lines[:8], 1))
    signature = sign(case.tool, case.stage, " ".join(lines[:2]))
    cause = Cause("unknown", "unknown", "none", evidence, {}, _SEEN)
    return Failure(
        case.tool, None, case.stage, None, case.model, case.precision, case.engine_version, {}, signature,
        (1, len(lines)), None, (cause,), (),
    )  # fmt: skip


class _Starter:
    """One run of the starter archive over an archive."""

    def __init__(self, connection: Connection, visit: Visit) -> None:
        self._connection = connection
        self._visit = visit
        self._counts: Counter[str] = Counter()
        self._conflicts: list[Conflict] = []

    def run(self, cases: Sequence[Case], builds: Sequence[NewBuild]) -> Taken:
        """Old editions go, new ones come, and what is known of them is said."""
        kept = self._retire(cases)
        current = [(case, build) for case, build in zip(cases, builds, strict=True) if case.id not in kept]
        filed = file_builds(self._connection, [build for _, build in current])
        for one in filed:
            self._counts["builds" if one.new else "known_builds"] += 1
            self._counts["incidents" if one.new else "known_incidents"] += len(one.incidents)
        told = [(case, self._meant(case, build, one)) for (case, build), one in zip(current, filed, strict=True)]
        for case, incident in told:
            self._confirm(case, incident)
        self._decide(told)
        counts = {name: self._counts[name] for name in COUNTED}
        before = recorded(self._connection, self._visit, counts)
        return Taken(self._visit.checksum, ORIGIN, before, counts, tuple(self._conflicts))

    def _retire(self, cases: Sequence[Case]) -> set[str]:
        """Takes older editions away; gives the cases whose older edition somebody here worked on."""
        editions = {case.id: case.edition for case in cases}
        kept = set()
        ours = select(Build.id, Build.job, Build.parameters, Build.log_digest).where(Build.repository == ORIGIN)
        for build in self._connection.execute(ours).all():
            edition = editions.get(build.job)
            if edition is None or (build.parameters or {}).get("edition") == edition:
                continue
            groups = set(
                self._connection.execute(select(Incident.group_id).where(Incident.build_id == build.id)).scalars()
            )
            if self._touched(build.id, groups):
                kept.add(build.job)
                uid = self._connection.execute(select(Incident.uid).where(Incident.build_id == build.id)).scalar()
                self._conflicts.append(Conflict(str(uid), "edition", "edited here", "a newer edition of this case"))
            else:
                self._remove(build.id, build.log_digest, groups)
                self._counts["renewed"] += 1
        return kept

    def _touched(self, build: int, groups: set[int]) -> bool:
        incidents = select(Incident.id).where(Incident.build_id == build)
        said = exists().where(Confirmation.incident_id.in_(incidents), Confirmation.actor != ACTOR)
        about = or_(History.incident_id.in_(incidents), History.group_id.in_(groups))
        done = exists().where(about, History.actor != ACTOR, History.kind != TAKEN)
        return bool(self._connection.execute(select(or_(said, done))).scalar())

    def _remove(self, build: int, log: str | None, groups: set[int]) -> None:
        self._connection.execute(delete(Build).where(Build.id == build))
        unused = Log.digest == log, ~exists().where(Build.log_digest == log)
        self._connection.execute(delete(Log).where(*unused))
        recount(self._connection, groups)
        self._connection.execute(delete(Group).where(Group.id.in_(groups), Group.count == 0))

    def _meant(self, case: Case, build: NewBuild, filed: Filed) -> str:
        """The incident of a case that its cause is about: the one so diagnosed, else the first."""
        for uid, item in zip(filed.incidents, build.incidents, strict=True):
            if item.failure.causes and item.failure.causes[0].id == case.cause:
                return uid
        return filed.incidents[0]

    def _confirm(self, case: Case, uid: str) -> None:
        incident = self._connection.execute(
            select(Incident.id, Incident.group_id, Incident.rule, Incident.cause).where(Incident.uid == uid)
        ).one()
        mine = (Confirmation.incident_id == incident.id) & (Confirmation.actor == ACTOR)
        if self._connection.execute(select(exists().where(mine))).scalar():
            self._counts["known_confirmations"] += 1
            return
        row = {
            "incident_id": incident.id, "group_id": incident.group_id, "at": AT, "actor": ACTOR, "cause": case.cause,
            "fix": case.fix, "note": case.words, "rule": incident.rule, "agreed": incident.cause == case.cause,
            "withdrawn": False,
        }  # fmt: skip
        self._connection.execute(insert(Confirmation), row)
        self._counts["confirmations"] += 1

    def _decide(self, told: Sequence[tuple[Case, str]]) -> None:
        """Says of each group what its cases say. Where they name different causes, none is the group's."""
        uids = {uid: case for case, uid in told}
        of: dict[int, list[Case]] = defaultdict(list)
        rows = self._connection.execute(select(Incident.uid, Incident.group_id).where(Incident.uid.in_(uids)))
        for uid, group in rows:
            of[group].append(uids[uid])
        incoming = [Incoming(group, ORIGIN, _values(sorted(cases))) for group, cases in sorted(of.items())]
        changed, conflicts = join(self._connection, incoming, self._visit)
        self._counts["changed_groups"] = changed
        self._conflicts += conflicts


def _values(cases: Sequence[Case]) -> Mapping[str, Any]:
    causes = {case.cause for case in cases}
    fixes = {case.fix for case in cases}
    verified = all(case.state == "verified" for case in cases)
    return {
        **UNTOUCHED,
        "state": "verified" if verified else "known",
        "verified_at": None,  # how long it took is not known
        "confirmed_cause": cases[0].cause if len(causes) == 1 else None,
        "confirmed_fix": cases[0].fix if len(causes) == len(fixes) == 1 else None,
        "note": "\n\n".join(_notes(cases)),
    }


def _notes(cases: Sequence[Case]) -> Iterator[str]:
    for case in cases:
        yield case.words if len(cases) == 1 else f"{case.title} ({case.cause}): {case.words}"
