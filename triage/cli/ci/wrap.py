"""Run a build as it is, and when it fails say why: in the log, as annotations, in the job summary, as a comment.

Everything after ``--`` is the command. Its output stays live and its exit code is the exit code, whatever happens to
the reports.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.records import Origin
    from triage.service.running import Outcome

_OURS = re.compile(r"TRIAGE_(?:INPUT_.*|.*_TOKEN|.*_SECRET|DATABASE_URL)")
EXAMPLE = """
triage ci wrap -- trtexec --onnx=model.onnx --fp16
triage ci wrap --comment --name "engine / int8" -- make engine
triage ci wrap --out triage-report -- python export.py
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage ci wrap``."""
    from triage.cli.ci._common import add_host_arguments, add_job_arguments, add_place_arguments

    parser.add_argument("command", nargs="*", metavar="-- CMD", help="the build, exactly as you run it")
    parser.add_argument("--model", help="name of the model (default: the first model file that the command names)")
    parser.add_argument("--stage", help="export, convert, quantize, build, load, run, serve or accuracy")
    parser.add_argument("--target", help="what is built for (default: the program and its script)")
    add_job_arguments(parser)
    add_place_arguments(parser)
    add_host_arguments(parser)


def run(arguments: Namespace) -> int:
    """Runs it; gives the command's own exit code."""
    import gc

    from triage.errors import UsageError

    if not arguments.command:
        raise UsageError("name the build to run: triage ci wrap -- trtexec --onnx=model.onnx")
    if arguments.stage:
        from triage.cli.diagnose import check_stage

        check_stage(arguments.stage)
    gc.enable()
    from triage.cli._edge import build_code

    if arguments.out:
        with suppress(OSError):
            arguments.out = os.path.abspath(arguments.out)  # the build may remove the folder that we stand in
    return build_code(lambda ended: _run(arguments, ended))


def _run(arguments: Namespace, ended: Callable[[int], None]) -> int:
    """Nothing is loaded before the build starts but what starts it; the rest comes while it runs."""
    from triage.service.running import Kind, run_build

    kind = Kind(arguments.model, arguments.stage, arguments.target)
    outcome = run_build(
        arguments.command, kind, shown=getattr(arguments, "shown", ()), with_archive=not arguments.no_archive,
        where=lambda: _place(arguments), env=_without_secrets(), ended=ended,
    )  # fmt: skip
    _tell(outcome, arguments)
    return outcome.exit_code


def _place(arguments: Namespace) -> Origin:
    from triage.cli.ci._common import job_here
    from triage.environment import origin_of

    return origin_of(job_here(arguments))


def _tell(outcome: Outcome, arguments: Namespace) -> None:
    from triage.cli.ci._common import job_here, print_report, remark, tell_all
    from triage.service.examining import judged

    if outcome.remark:
        remark(arguments, outcome.remark)
    status = "failure" if outcome.report else "success"
    reports = [outcome.report] if outcome.report else []
    found = judged(reports, job_here(arguments), status, with_archive=outcome.filed)
    if outcome.report:
        print(file=sys.stderr)
        print_report(found, sys.stderr)
    tell_all(found, arguments)


def _without_secrets() -> dict[str, str]:
    """The environment of the build: it has no use for what lets triage write comments and read the archive."""
    return {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}
