"""Repair a failing build on a copy, run it again, and prove the cure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage fix -- python export.py
triage fix recipe.toml --apply
triage fix model.onnx --target onnxruntime
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage fix``."""
    parser.add_argument("build", nargs="*", metavar="RECIPE.toml | MODEL | -- CMD", help="what fails")


def run(arguments: Namespace) -> int:
    """Searches a cure."""
    import os
    import tempfile

    from triage.recipe import read_recipe, recipe_of
    from triage.remediate.loop import Settings
    from triage.service.fixing import fix_build

    words = arguments.build
    recipe = read_recipe(words[0]) if len(words) == 1 and words[0].endswith(".toml") else recipe_of(words, os.getcwd())

    class Watch:
        def started(self, number, what):
            print(number, what, file=sys.stderr)

        def diagnosed(self, state):
            print(state.cause, file=sys.stderr)

        def running(self, seconds):
            return True

        def ended(self, attempt):
            print(attempt.result, attempt.why, file=sys.stderr)

    done = fix_build(recipe, Settings(), Watch(), tempfile.mkdtemp(prefix="triage-fix-"))
    print(done.status, done.verified, done.why)
    for change in done.changes:
        print(change.diff)
    return 0 if done.verified else 5
