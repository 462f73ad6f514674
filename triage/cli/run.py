"""Run a build: live output, same exit code; a failure is diagnosed and compared with the last good run.

Everything after ``--`` is the command. A good run becomes the baseline of its model, stage and target;
a failed one is filed, and the report on standard error says what changed since the baseline.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.records import Report

EXAMPLE = """
triage run -- trtexec --onnx=model.onnx --fp16
triage run --model bert --stage export -- python export.py
triage run --report cause.json --format json -- make engine
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage run``."""
    from triage import discovery

    parser.add_argument("command", nargs="*", metavar="-- CMD", help="the build, exactly as you run it")
    parser.add_argument("--model", help="name of the model (default: the first model file that the command names)")
    parser.add_argument("--stage", help="export, convert, quantize, build, load, run, serve or accuracy")
    parser.add_argument("--target", help="what is built for (default: the program and its script)")
    parser.add_argument("--format", default="text", metavar="NAME",
                        help=f"of the report: {', '.join(discovery.names('triage.reports'))}")  # fmt: skip
    parser.add_argument("--report", metavar="PATH", help="write the report to a file instead of standard error")
    parser.add_argument("--no-archive", action="store_true", help="neither ask the archive nor file the run")
    parser.add_argument("--quiet", action="store_true", help="say nothing of a good run")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colour of the report")


def run(arguments: Namespace) -> int:
    """Runs it; gives the command's own exit code."""
    from triage import discovery
    from triage.errors import UsageError

    if not arguments.command:
        raise UsageError("name the build to run: triage run -- trtexec --onnx=model.onnx")
    if arguments.stage:
        from triage.cli.diagnose import check_stage

        check_stage(arguments.stage)
    discovery.load("triage.reports", arguments.format)
    gc.enable()  # the entry point turned it off
    from triage.cli._edge import build_code

    return build_code(lambda ended: _run(arguments, ended))


def _run(arguments: Namespace, ended: Callable[[int], None]) -> int:
    from triage.service.running import Kind, run_build

    shown = _Shown(arguments)
    kind = Kind(arguments.model, arguments.stage, arguments.target)
    with_archive = not arguments.no_archive
    outcome = run_build(arguments.command, kind, with_archive=with_archive, settled=shown.begin, ended=ended)
    if outcome.report:
        shown.end(outcome.report)
    if outcome.remark and not arguments.quiet:
        print(f"triage: {outcome.remark}", file=sys.stderr)
    return outcome.exit_code


class _Shown:
    """The report, in two steps: the verdict as soon as it stands, the rest when the archive has answered."""

    def __init__(self, arguments: Namespace) -> None:
        from triage import discovery

        self._arguments = arguments
        self._renderer = discovery.load("triage.reports", arguments.format)
        self._begun = 0

    def begin(self, report: Report) -> None:
        """What does not wait for the archive."""
        if self._arguments.report or self._arguments.no_archive:
            return
        text = self._text(report)
        self._begun = self._renderer.settled(text)
        print(f"\n{text[: self._begun]}", end="", file=sys.stderr, flush=True)

    def end(self, report: Report) -> None:
        """The whole report, or what of it was not yet said."""
        text = self._text(report)
        if self._arguments.report:
            from triage.folders import write_whole

            write_whole(self._arguments.report, text)
            print(f"triage: the report is in {self._arguments.report}", file=sys.stderr)
        else:
            print(text[self._begun :] if self._begun else f"\n{text}", end="", file=sys.stderr)

    def _text(self, report: Report) -> str:
        from triage.cli._output import use_colour, width

        colour = use_colour(self._arguments, sys.stderr)
        rendered: str = self._renderer.render([report], colour, width(sys.stderr))
        return rendered
