"""Where and with what a build ran, and what differs between two builds.

``fingerprint`` describes the machine, ``parameters`` the command, ``origin`` where the
run belongs, ``job`` which job of a CI system it is; ``difference`` and
``parameter_difference`` compare, ``sentence`` says it.
The first four ask the outside world, each question with a time limit; what is not
there is None or empty, never an error. Names are loaded when they are first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.environment.changes import Changes, sentence
    from triage.environment.ci import attempt, job, job_status, origin, origin_of, refused, run_status
    from triage.environment.commands import parameters
    from triage.environment.compare import Change, difference, parameter_difference
    from triage.environment.probe import fingerprint
    from triage.environment.records import (
        Container,
        Environment,
        Gpu,
        ModelFile,
        Parameters,
        Revision,
        digest,
        environment_from,
        parameters_from,
        plain,
        to_json,
    )

__all__ = [
    "Change",
    "Changes",
    "Container",
    "Environment",
    "Gpu",
    "ModelFile",
    "Parameters",
    "Revision",
    "attempt",
    "difference",
    "digest",
    "environment_from",
    "fingerprint",
    "job",
    "job_status",
    "origin",
    "origin_of",
    "parameter_difference",
    "parameters",
    "parameters_from",
    "plain",
    "refused",
    "run_status",
    "sentence",
    "to_json",
]
_HOMES = {
    "changes": ("Changes", "sentence"),
    "ci": ("attempt", "job", "job_status", "origin", "origin_of", "refused", "run_status"),
    "commands": ("parameters",),
    "compare": ("Change", "difference", "parameter_difference"),
    "probe": ("fingerprint",),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'triage.environment' has no attribute {name!r}")
    from importlib import import_module

    home = next((home for home, names in _HOMES.items() if name in names), "records")
    return getattr(import_module(f"triage.environment.{home}"), name)
