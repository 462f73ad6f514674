"""Real broken builds, repaired and checked again from outside: ``python -m bench.repair FOLDER [--only NAMES]``.

Each folder below FOLDER holds a ``recipe.toml`` and, where known, ``bench.yaml`` with the expected outcome.
A cure counts only when the command and the recipe's check, run again in a fresh copy with the changes, both succeed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

from triage.recipe import read_recipe
from triage.remediate.loop import Settings
from triage.service.fixing import fix_build


class Quiet:
    """Says how it goes on, or nothing."""

    def __init__(self, verbose):
        self.verbose = verbose

    def started(self, number, what):
        """An attempt begins."""
        if self.verbose:
            print(f"   {number} {what}", file=sys.stderr)

    def diagnosed(self, state):
        """The build as it is was run."""
        if self.verbose:
            print(f"     {state.cause}", file=sys.stderr)

    def running(self, _seconds):
        """Nothing interrupts it."""
        return True

    def ended(self, attempt):
        """An attempt is over."""
        if self.verbose:
            print(f"     {attempt.result}: {attempt.why}", file=sys.stderr)


def again(recipe, done, place):
    """Whether the cure holds in a fresh copy, run by hand."""
    with tempfile.TemporaryDirectory(prefix="bench-repair-") as folder:
        fresh = os.path.join(folder, "build")
        cured = os.path.join(place, f"work{done.path[-1]}")
        shutil.copytree(recipe.folder, fresh)
        subprocess.run(["chmod", "-R", "u+w", fresh], check=True)
        for change in done.changes:
            path = os.path.join(fresh, change.path)
            if change.kind in ("removed", "renamed"):
                old = (
                    change.path if change.kind == "removed" else change.diff.split("\n")[0].removeprefix("rename from ")
                )
                os.unlink(os.path.join(fresh, old))
            if change.kind not in ("removed", "command"):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copy2(os.path.join(cured, change.path), path)
        for base, _, _ in os.walk(fresh, topdown=False):
            if base != fresh and not os.listdir(base):
                os.rmdir(base)
        for command in (done.command, recipe.verify.command if recipe.verify else ()):
            if command and subprocess.run(command, cwd=fresh, capture_output=True, timeout=300, check=False).returncode:
                return False
    return True


def one(folder, verbose):
    recipe = read_recipe(os.path.join(folder, "recipe.toml"))
    place = tempfile.mkdtemp(prefix="bench-repair-")
    started = time.perf_counter()
    try:
        done = fix_build(recipe, Settings(), Quiet(verbose), place)
        held = again(recipe, done, place) if done.status == "cured" and done.path else None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return done, held, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    right = false = total = 0
    for name in sorted(os.listdir(given.folder)):
        folder = os.path.join(given.folder, name)
        if not os.path.exists(os.path.join(folder, "recipe.toml")) or not any(
            part in name for part in given.only.split(",")
        ):
            continue
        expected = "cured"
        if os.path.exists(os.path.join(folder, "bench.yaml")):
            with open(os.path.join(folder, "bench.yaml"), encoding="utf-8") as stream:
                expected = yaml.safe_load(stream)["expected"]
        done, held, seconds = one(folder, given.verbose)
        good = (
            (done.status == "cured" and held) if expected == "cured" else done.status in ("refused", "nothing-to-try")
        )
        total, right, false = total + 1, right + bool(good), false + (held is False)
        wrong = "" if good else f" (wanted {expected}{', does not hold' if held is False else ''})"
        word = "ok " if good else "BAD"
        told = f"{done.status:14} {len(done.attempts):2} attempts {seconds:5.1f} s  {done.why}{wrong}"
        print(f"{word} {name:36} {told}", flush=True)
    print(f"{right} of {total} as expected, {false} false cures")


if __name__ == "__main__":
    main()
