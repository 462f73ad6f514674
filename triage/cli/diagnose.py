"""Name the root cause of a failing log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from triage.records import Report

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.cli._many import Outcome
    from triage.cli._output import Output

EXAMPLE = """
triage diagnose build.log
trtexec --onnx=model.onnx 2>&1 | triage diagnose -
triage diagnose --format jsonl logs/*.log.gz > reports.jsonl
"""
POLICIES = ("never", "failure", "unknown")


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage diagnose``."""
    from triage.cli._output import add_output_arguments

    parser.add_argument(
        "inputs", nargs="*", metavar="FILE", help="log, archive of logs, http(s) address, or - for a pipe"
    )
    add_output_arguments(parser)
    parser.add_argument(
        "--fail-on", choices=POLICIES, default="never", help="exit 1 on a failure, 4 on an unknown cause"
    )
    parser.add_argument("--model", help="name of the model, where the log does not say it")
    parser.add_argument("--stage", help="stage that failed, where the log does not say it")
    parser.add_argument("--no-archive", action="store_true", help="neither ask the archive nor file the incident")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes for many logs (default: all cores)")


def run(arguments: Namespace) -> int:
    """Diagnoses every input; a bad input is reported and the others go on."""
    from triage import discovery
    from triage.cli._output import Output
    from triage.errors import UsageError

    renderer = discovery.load("triage.reports", arguments.format)
    inputs = arguments.inputs or (["-"] if not sys.stdin.isatty() else [])
    if not inputs:
        raise UsageError("nothing to diagnose. Name a log, or pipe one in: cat build.log | triage diagnose -")
    if arguments.stage:
        check_stage(arguments.stage)
    from triage.cli._many import diagnose_all
    from triage.ingest.text import plain

    codes = {0}
    with Output(arguments, renderer, several=len(inputs) > 1) as output:
        for outcome in diagnose_all(inputs, arguments, renderer):
            if outcome.fault:
                print(f"triage: {plain(outcome.fault)}", file=sys.stderr)
                codes.add(2)
            else:
                _write(output, outcome, arguments.quiet)
                codes.add(policy_code(arguments.fail_on, outcome.verdict))
    _catch_up()
    return next(code for code in (2, 4, 1, 0) if code in codes)


def _catch_up() -> None:
    """What makes the next look-up fast is done when the answer is out."""
    if "triage.service.neighbours" in sys.modules:
        from triage.service.filing import catch_up

        catch_up()


def _write(output: Output, outcome: Outcome, quiet: bool) -> None:
    """Prints what is settled at once; what the archive adds follows."""
    begun = output.begin(outcome.text[: outcome.settled], only=outcome.only)
    done = outcome.complete() if outcome.complete else outcome
    if done.report:
        output.collect(done.report)
    else:
        output.write(done.text[outcome.settled :] if begun else done.text)
    if done.remark and not quiet:
        print(f"triage: {done.remark}", file=sys.stderr)


def check_stage(stage: str) -> None:
    """Raises UnknownName for a stage that is none."""
    from triage.errors import UnknownName
    from triage.rulebook.read import STAGES

    if stage not in STAGES:
        raise UnknownName("stage", stage, STAGES)


def policy_code(policy: str, verdict: str) -> int:
    """The exit code that --fail-on asks for."""
    if policy == "unknown" and verdict == "unknown":
        return 4
    if policy in ("failure", "unknown") and verdict != "no-failure":
        return 1
    return 0


def adjusted(report: Report, arguments: Namespace) -> Report:
    """The report with --model and --stage where the log said nothing."""
    if not arguments.model and not arguments.stage:
        return report
    from triage.service.diagnosis import with_incidents

    return with_incidents(
        report,
        [
            incident._replace(model=incident.model or arguments.model, stage=arguments.stage or incident.stage)
            for incident in report.diagnosis.incidents
        ],
    )
