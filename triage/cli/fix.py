"""Repair a failing build on a copy, run it again, and prove the cure.

The build is a recipe, a command after ``--``, or a model with ``--target``. Your files are never touched
without ``--apply``, which shows the change first and makes all of it or nothing; ``--undo`` takes it back.
Exit codes: 0 cured and proven, 5 not cured or not proven, 6 nothing safe to try, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.remedy import Remediation
    from triage.service.fixing import Fixed

EXAMPLE = """
triage fix -- python export.py
triage fix recipe.toml --apply
triage fix model.onnx --target onnxruntime
triage fix --apply ~/.local/share/triage/fixes/export-20261121-193001-71
triage fix --undo ~/.local/share/triage/fixes/export-20261121-193001-71
"""
CURED, NOT_CURED, NOTHING, INTERRUPTED = 0, 5, 6, 130


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage fix``."""
    from triage import discovery
    from triage.backends._choose import targets

    parser.add_argument("build", nargs="*", metavar="RECIPE.toml | MODEL | -- CMD",
                        help="what fails; or parameters.json of an earlier repair, to do it again")  # fmt: skip
    parser.add_argument("--target", metavar="NAME", help=f"build MODEL for: {', '.join(targets())}")
    parser.add_argument("--dry-run", action="store_true", help="run and diagnose the build, list what would be tried")
    parser.add_argument("--diff", action="store_true", help="print only the change, as a unified diff")
    parser.add_argument(
        "--apply",
        action="store_true",
        help="put the cure into your folder; with the folder of an earlier repair, that one",
    )
    parser.add_argument(
        "--undo", action="store_true", help="with the folder of an applied repair: put back what stood there before"
    )
    parser.add_argument("--unsafe", action="store_true", help="also try repairs that may change what is computed")
    parser.add_argument("--attempts", type=int, default=20, metavar="N", help="how many runs to spend (default 20)")
    parser.add_argument("--time-limit", type=float, default=3600, metavar="S", help="seconds for all (default 3600)")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="seconds for one run (default: the recipe's, or 600)"
    )
    parser.add_argument("--memory", type=float, metavar="GIB", help="memory that one run may take (default: no limit)")
    parser.add_argument("--output", metavar="DIR", help="where to leave the result (default: in the data folder)")
    parser.add_argument("--report", metavar="PATH", help="write the report to a file instead of standard output")
    parser.add_argument("--format", default="text", metavar="NAME",
                        help=f"of the report: {', '.join(discovery.names('triage.reports'))}")  # fmt: skip
    parser.add_argument("--no-archive", action="store_true", help="neither ask the archive nor file the repair")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colour of the report")


def run(arguments: Namespace) -> int:
    """Searches a cure, or applies an earlier one; gives the exit code."""
    import gc

    from triage import discovery

    gc.enable()  # the entry point turned it off
    _check(arguments)
    renderer = discovery.load("triage.reports", arguments.format)
    if not hasattr(renderer, "repair"):
        from triage.errors import UsageError

        raise UsageError(
            f"--format {arguments.format} shows failures, not repairs: choose text, markdown, html or json"
        )
    words = arguments.build
    if arguments.undo:
        return _undo(words)
    if arguments.apply and len(words) == 1 and os.path.isdir(words[0]):
        return _apply(words[0])
    from triage.cli._progress import Progress, interruptible
    from triage.remediate.loop import Settings
    from triage.service.fixing import fix_and_file
    from triage.service.wanted import wanted

    recipe, steps = wanted(words, os.getcwd(), arguments.target, arguments.timeout)
    settings = Settings(
        arguments.attempts, arguments.time_limit, int(arguments.memory * (1 << 30)) if arguments.memory else None,
        arguments.unsafe, arguments.dry_run,
    )  # fmt: skip
    with interruptible(), Progress(recipe, quiet=arguments.quiet) as progress:
        fixed = fix_and_file(
            recipe, settings, progress, arguments.output, with_archive=not arguments.no_archive, steps=steps
        )
    _show(arguments, fixed, renderer)
    if arguments.apply and fixed.done.status == "cured" and fixed.done.output:
        _apply(fixed.done.output)
    return _code(fixed.done)


def _check(arguments: Namespace) -> None:
    from triage.errors import UsageError

    if arguments.dry_run and arguments.apply:
        raise UsageError("--dry-run changes nothing and --apply does: choose one")
    if arguments.undo and (arguments.dry_run or arguments.apply or len(arguments.build) != 1):
        raise UsageError("--undo takes the folder of one applied repair, and nothing else: triage fix --undo FOLDER")
    for name in ("attempts", "time_limit", "timeout", "memory"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"--{name.replace('_', '-')} must be greater than 0")


def _show(arguments: Namespace, fixed: Fixed, renderer: object) -> None:
    from triage.cli._output import use_colour, width
    from triage.folders import write_whole

    if arguments.diff:
        text = "".join(change.diff for change in fixed.done.changes)
    else:
        colour = use_colour(arguments) and not arguments.report
        text = renderer.repair(fixed.done, fixed.report, colour, width())  # type: ignore[attr-defined]
    if arguments.report:
        write_whole(arguments.report, text)
        print(f"triage: the report is in {arguments.report}", file=sys.stderr)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
    if fixed.remark and not arguments.quiet:
        print(f"triage: {fixed.remark}", file=sys.stderr)


def _apply(folder: str) -> int:
    from triage.remediate.leave import apply_left

    recipe, paths = apply_left(folder)
    print(
        f"triage: changed in {recipe.folder}: {', '.join(paths) or 'nothing, the cure is a changed command'}",
        file=sys.stderr,
    )
    print(f"triage: what stood there before is in {os.path.join(folder, 'before')}", file=sys.stderr)
    return CURED


def _undo(words: list[str]) -> int:
    from triage.remediate.leave import read_parameters
    from triage.remediate.taking_back import take_back

    read_parameters(words[0])
    home, paths = take_back(words[0])
    print(f"triage: as before in {home}: {', '.join(paths) or 'nothing was changed there'}", file=sys.stderr)
    return CURED


def _code(done: Remediation) -> int:
    if done.interrupted:
        return INTERRUPTED
    if done.status == "cured":
        return CURED if done.verified else NOT_CURED
    return NOTHING if done.status in ("nothing-to-try", "refused") else NOT_CURED
