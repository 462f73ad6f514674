"""Give the Python model the names that Triton calls.

What it changes: in model.py the class that serves requests is called TritonPythonModel, and its methods initialize,
execute, finalize and auto_complete_config, where they are misspelt (initialise, excute). Only names are changed.

When it is wrong: where several classes could be the model; then nothing is proposed.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import samples
from triage.tritonrepo.layout import joined
from triage.tritonrepo.pymodel.model import CLASS, METHODS, PyModel
from triage.tritonrepo.survey import Model, survey
from triage.tritonrepo.words import closest

CAUSES = ("backend-init-failed", "model-code-error", "api-removed", "request-timeout", "model-config-mismatch")
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each file with a misspelt class or method."""
    for model in survey(site).models:
        found = model.python()
        path = _path(model)
        if found is None or found.fault or path is None or not site.may_change(path):
            continue
        names = dict(_names(found))
        if names:
            words = ", ".join(f"{new} instead of {old}" for old, new in names.items())
            yield Proposal(f"{path}: {words}", {"file": path, "names": names})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Renames the class and its methods where they are defined, and the class where it is used."""
    text = site.text(parameters["file"])
    for old, new in parameters["names"].items():
        pattern = rf"(?<![\w.]){re.escape(old)}(?!\w)" if new == CLASS else rf"(?<=\bdef ){re.escape(old)}(?=\s*\()"
        text, count = re.subn(pattern, new, text)
        if not count:
            raise CannotApply(f"{parameters['file']} does not define {old}")
    ast.parse(text)
    site.write_text(parameters["file"], text)


def _path(model: Model) -> str | None:
    if model.version is None:
        return None
    told = model.config.word("default_model_filename") if model.config is not None and model.config.readable else None
    return joined(model.version.path, told or "model.py")


def _names(found: PyModel) -> Iterator[tuple[str, str]]:
    classes = dict(found.classes)
    chosen = CLASS if CLASS in classes else None
    if chosen is None and {CLASS, "*"} & set(found.bound):
        return  # the class comes from elsewhere
    if chosen is None:
        serving = [name for name, methods in classes.items() if "execute" in methods]
        near = closest(CLASS, classes, 0.8) if not serving else []
        candidates = serving or near
        if len(candidates) != 1:
            return
        chosen = candidates[0]
        yield chosen, CLASS
    methods = classes[chosen]
    for method in METHODS[:4]:
        if method in methods:
            continue
        near = closest(method, [each for each in methods if each not in METHODS], 0.8)
        if near and not near[0].startswith("_"):
            yield near[0], method


def _misspelt(folder: str) -> None:
    text = samples.MODEL.replace("TritonPythonModel", "TritonPytonModel").replace("def execute", "def excute")
    samples.repository(folder, model=text)


def _after(site: Site) -> None:
    assert site.text("models/scorer/1/model.py") == samples.MODEL  # noqa: S101


EXAMPLES = (Example(_misspelt, _after), Example(samples.repository, None, applies=False))
