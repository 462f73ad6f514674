"""What changed since the last good build: environment, parameters, and lines never seen before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.archive import baselines
from triage.diagnose.baseline import new_lines
from triage.environment import (
    Change,
    Changes,
    difference,
    environment_from,
    parameter_difference,
    parameters_from,
    sentence,
)
from triage.environment.versions import direction
from triage.records import Changed
from triage.runner import ENDING

MOST_LINES = 20


def changed(connection: Any, build: int) -> Changed | None:
    """A failed build against the last good one of its kind; None where there is none, or it did not fail."""
    failed = baselines.ran(connection, build)
    if failed.outcome != "failed":
        return None
    good = baselines.last_good(connection, failed)
    if good is None or good.prints is None:
        return None
    log = baselines.log_of(connection, failed)
    changes = Changes(
        baseline=good.source,
        what=" ".join(part for part in (good.model, good.stage, good.target) if part),
        worked=good.at.astimezone(),
        failed=failed.at.astimezone(),
        new_lines=new_lines([log], good.prints, limit=MOST_LINES),
        environment=_environment(good.environment, failed.environment),
        parameters=_parameters(good.parameters, failed.parameters),
    )
    return Changed(
        sentence=sentence(changes),
        baseline=good.key[:12],
        worked=good.at.isoformat(timespec="seconds"),
        new_lines=tuple(
            (line.line, line.text, line.times) for line in changes.new_lines if not line.text.startswith(ENDING)
        ),
        differences=tuple(
            (one.kind, one.name, one.before, one.after) for one in (*changes.environment, *changes.parameters)
        ),
    )


def _environment(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Differences of the machines, then of what the logs themselves say (a tool's own version)."""
    found: list[Change] = []
    if "machine" in before and "machine" in after:
        found += difference(environment_from(before["machine"]), environment_from(after["machine"]))
    named = {one.name for one in found}
    old, new = before.get("log", {}), after.get("log", {})
    for name in sorted(set(old) & set(new) - named):
        if old[name] != new[name]:
            found.append(
                Change("tool", name, str(old[name]), str(new[name]), direction(str(old[name]), str(new[name])))
            )
    return tuple(found)


def _parameters(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Change, ...]:
    if not before or not after:
        return ()
    return parameter_difference(parameters_from(before), parameters_from(after))
