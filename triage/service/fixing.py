"""``triage fix``: repairs a build on a copy, files what was tried, and leaves the cure behind."""

from __future__ import annotations

from triage.inputs import Log
from triage.library import load_library
from triage.records import Report
from triage.remediate.loop import Repair, Settings, Tools, Watch
from triage.remediate.state import State
from triage.remedy import BuildResult, Proof, Recipe, Remediation
from triage.service.diagnosis import diagnose_log
from triage.workspace import Workspace


def fix_build(recipe: Recipe, settings: Settings, watch: Watch, place: str) -> Remediation:
    """Searches a cure for a build.

    Args:
        recipe: the build, and what cured means.
        settings: limits, and whether unsafe repairs may be tried.
        watch: is told how it goes on.
        place: a folder of its own for copies and logs.
    """
    tools = Tools(_diagnose, _prove, load_library().knowledge, lambda _: (), watch)
    return Repair(recipe, settings, tools, place).search()


def _diagnose(path: str, result: BuildResult) -> Report:
    with open(path, "rb") as stream:
        return diagnose_log(Log(path, iter(lambda: stream.read(1 << 20), b"")), load_library()).report


def _prove(recipe: Recipe, state: State, base: Workspace, log: str) -> Proof:
    return Proof(None, "nothing to compare with: the recipe has no [verify]")
