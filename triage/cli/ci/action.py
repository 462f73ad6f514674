"""What the GitHub Action calls: reads its inputs from TRIAGE_INPUT_… and wraps, reports or comments.

Inputs come through the environment, so that no text of a workflow is ever part of a script.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
TRIAGE_INPUT_RUN='make engine' triage ci action
TRIAGE_INPUT_LOGS=build.log TRIAGE_INPUT_STATUS=failure triage ci action
"""


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments: everything is in the environment."""


def run(arguments: Namespace) -> int:
    """Does what the inputs ask for; the exit code of the build, or 0."""
    from triage.errors import UsageError

    inputs = _Inputs()
    common = inputs.common()
    if inputs["run"]:
        return _wrap(inputs, common)
    if inputs["logs"]:
        return _report(inputs, common)
    if inputs["report"] or inputs["run-id"]:
        return _comment(inputs, common)
    raise UsageError("the action needs one of its inputs run, logs, report or run-id")


class _Inputs:
    def __getitem__(self, name: str) -> str:
        return os.environ.get(f"TRIAGE_INPUT_{name.upper().replace('-', '_')}", "").strip()

    def common(self) -> dict[str, Any]:
        """The arguments that all commands take."""
        return {
            "name": _named(self["name"], self["matrix"]),
            "no_archive": False,
            "quiet": False,
            "timeout": 10.0,
            "patience": 30.0,
            "dry_run": self["dry-run"].lower() in ("true", "yes", "1"),
            "comment": self["comment"].lower() not in ("false", "no", "0"),
            "out": self["out"] or None,
        }


def _wrap(inputs: _Inputs, common: dict[str, Any]) -> int:
    from triage.cli.ci import wrap

    with tempfile.NamedTemporaryFile("w", suffix=".sh", dir=os.environ.get("RUNNER_TEMP"), encoding="utf-8") as script:
        script.write(inputs["run"] + "\n")
        script.flush()
        shell = inputs["shell"] or "bash --noprofile --norc -eo pipefail {0}"
        command = [word.replace("{0}", script.name) for word in shlex.split(shell)]
        lines = inputs["run"].splitlines()
        asked: Any = SimpleNamespace(command=command, shown=_words(lines), model=inputs["model"] or None, stage=None,
                                target=lines[0][:200], **common)  # fmt: skip
        return wrap.run(asked)


def _report(inputs: _Inputs, common: dict[str, Any]) -> int:
    from triage.cli.ci import report

    logs = [line.strip() for line in inputs["logs"].splitlines() if line.strip()]
    asked: Any = SimpleNamespace(logs=logs, status=inputs["status"] or None, fail_on="never", **common)
    return report.run(asked)


def _comment(inputs: _Inputs, common: dict[str, Any]) -> int:
    from triage.cli.ci import comment

    folder = inputs["report"] or None
    run_id = None if folder else inputs["run-id"]
    asked: Any = SimpleNamespace(logs=[], report=folder, run=run_id, status=None, **common)
    return comment.run(asked)


def _words(lines: list[str]) -> list[str]:
    """The build as a person typed it: one command by its words, else the first line of the script."""
    try:
        return shlex.split(lines[0]) if len(lines) == 1 else [f"{lines[0]} …"]
    except ValueError:
        return lines[:1]


def _named(name: str, matrix: str) -> str | None:
    """The name of the job with what tells it from the others of its matrix; None for what the system calls it."""
    from triage.environment import job

    try:
        values = json.loads(matrix) if matrix else None
    except ValueError:
        values = None
    words = ", ".join(str(value) for value in values.values()) if isinstance(values, dict) else ""
    return f"{name or job().name} ({words})" if words else name or None
