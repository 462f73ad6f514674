"""One state of a build in the search: its copy, how it ran, and what the diagnosis said."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from triage.records import Incident, Report
from triage.remedy import BuildResult, Proof, Refusal
from triage.site import Found
from triage.workspace import File, Workspace

UNKNOWN, MISMATCH = "unknown", "output-mismatch"


@dataclass
class State:
    """A build as it stands after some attempts (``path``; empty at the start).

    ``workspace`` holds the changed files and was never run; ``ran`` is the copy in which the build ran.
    ``keeps`` is False once a change was meant to alter outputs. ``progress`` counts the attempts that moved on,
    ``idle`` those that changed nothing.
    """

    workspace: Workspace
    command: tuple[str, ...]
    path: tuple[int, ...] = ()
    ran: Workspace | None = None
    result: BuildResult | None = None
    report: Report | None = None
    proof: Proof | None = None
    progress: int = 0
    idle: int = 0
    keeps: bool = True
    tried: set[str] = field(default_factory=set)
    refused: list[Refusal] = field(default_factory=list)
    _files: dict[str, File] | None = field(default=None, repr=False)

    @property
    def good(self) -> bool:
        """It ran to its end with 0, wrote its outputs, and no comparison failed."""
        return bool(self.result and self.result.good and self.proof and self.proof.verified is not False)

    @property
    def incident(self) -> Incident | None:
        """The failure that counts."""
        diagnosis = self.report.diagnosis if self.report else None
        if diagnosis is None or diagnosis.primary is None:
            return None
        return diagnosis.incidents[diagnosis.primary]

    @property
    def cause(self) -> str | None:
        """The id of the first cause; None where nothing failed."""
        causes = self._causes()
        return causes[0] if causes else None if self.good else UNKNOWN

    @property
    def signature(self) -> str | None:
        """Hash of the failure's signature."""
        incident = self.incident
        return incident.signature.hash if incident and incident.signature else None

    def files(self) -> dict[str, File]:
        """Files of ``workspace``, hashed once: only applying a step changes them, and then they are forgotten."""
        if self._files is None:
            self._files = self.workspace.files()
        return self._files

    def changed(self) -> None:
        """The files of the workspace may be others now."""
        self._files = None

    def key(self) -> str:
        """What makes this state the same as another: content of its files, and its command."""
        files = {path: file.digest for path, file in self.files().items()}
        return hashlib.sha256(json.dumps([self.command, files], sort_keys=True).encode()).hexdigest()

    def found(self) -> Found:
        """What fixes are told of the failure."""
        incident = self.incident
        if incident is None:
            return Found(causes=tuple(self._causes()))
        first = incident.causes[0] if incident.causes else None
        return Found(
            causes=tuple(dict.fromkeys(self._causes())),
            captures=dict(first.captures) if first else {},
            evidence=tuple(line.text for line in first.evidence) if first else (),
            why=first.why if first else "",
            tool=incident.tool,
            tool_version=incident.tool_version,
            stage=incident.stage,
            model=incident.model,
            precision=incident.precision,
            facts=dict(incident.facts),
        )

    def _causes(self) -> list[str]:
        """Causes of the primary failure first, then those of other independent failures, then of consequences.

        A command that succeeds with wrong outputs has failed too, whatever its log says.
        """
        told = self._told()
        wrong = self.result is not None and self.result.good and not self.good
        named = [cause for cause in told if cause != UNKNOWN]
        return [*named, MISMATCH] if wrong else told

    def _told(self) -> list[str]:
        if self.report is None:
            return []
        primary = self.incident
        others = [one for one in self.report.diagnosis.incidents if one is not primary]
        ordered = sorted(others, key=lambda one: one.consequence_of is not None)
        return [cause.id for one in ([primary] if primary else []) + ordered for cause in one.causes]
