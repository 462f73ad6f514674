"""Lower the graph or builder optimization level.

What it changes: the Python script sets a lower graph optimisation level where it makes its ONNX Runtime session; a
trtexec or polygraphy command gets a lower builder optimisation level. The model stays as it is.

When it is wrong: the model itself is at fault; then it fails at every level. Where ONNX Runtime is installed, the
model is loaded here at all levels, and the highest that works is taken. The lower the level, the slower the model.

Proof: the session loads and runs; its outputs are compared with the reference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site, _session
from triage.remedy import Proposal

CAUSES = (
    "graph-optimization-failed", "builder-internal-error", "kernel-implementation-missing", "cuda-illegal-access",
    "output-mismatch",
)  # fmt: skip
SAFETY = "safe"
_LEVELS = ("ORT_ENABLE_EXTENDED", "ORT_ENABLE_BASIC", "ORT_DISABLE_ALL")  # the highest first, after ORT_ENABLE_ALL
_FLAGS = {"trtexec": "--builderOptimizationLevel", "polygraphy": "--builder-optimization-level"}
_BUILDER = ("builder-internal-error", "kernel-implementation-missing", "cuda-illegal-access")


def propose(site: Site) -> Iterator[Proposal]:
    """The highest level that works here, for scripts that make sessions; the next lower ones for builders."""
    tool = os.path.basename(site.command[0]) if site.command else ""
    if tool in _FLAGS and set(site.found.causes) & set(_BUILDER):
        now = _builder_level(site, _FLAGS[tool])
        for lower in range(now - 1, -1, -1):
            yield Proposal(
                f"build at optimisation level {lower}", {"flag": _FLAGS[tool], "level": str(lower)}, rank=now - lower
            )
        return
    if not set(site.found.causes) & {"graph-optimization-failed", "output-mismatch"}:
        return
    levels = _working(site)
    for path in site.scripts():
        text = site.text(path)
        if not _session.sessions(text):
            continue
        for rank, level in enumerate(levels):
            if f"GraphOptimizationLevel.{level}" not in text:
                yield Proposal(f"{path}: make the session at {level}", {"script": path, "level": level}, rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the level."""
    level = parameters["level"]
    if "flag" in parameters:
        site.set_command(_with_flag(list(site.command), parameters["flag"], level))
        return
    try:
        text = _session.with_level(site.text(parameters["script"]), level)
    except ValueError as fault:
        raise CannotApply(str(fault)) from None
    site.write_text(parameters["script"], text)


def _builder_level(site: Site, flag: str) -> int:
    """What the command says; 3 is the default."""
    words = " ".join(site.command).replace("=", " ").split()
    told = words[words.index(flag) + 1] if flag in words[:-1] else "3"
    return int(told) if told.isdigit() else 3


def _with_flag(command: list[str], flag: str, level: str) -> list[str]:
    for place, word in enumerate(command):
        if word == flag and place + 1 < len(command):
            return [*command[: place + 1], level, *command[place + 2 :]]
        if word.startswith(flag + "="):
            return [*command[:place], f"{flag}={level}", *command[place + 1 :]]
    return [*command, f"{flag}={level}"] if os.path.basename(command[0]) == "trtexec" else [*command, flag, level]


def _working(site: Site) -> list[str]:
    """Levels to try: the highest at which a model of the folder works while it fails above; all where none shows it."""
    for path in [name for name in site.listing if name.endswith(".onnx")]:
        outcome = {level: _outputs(site.path(path), level) for level in ("ORT_ENABLE_ALL", *_LEVELS)}
        right = outcome["ORT_DISABLE_ALL"]
        if right is None or _equal(outcome["ORT_ENABLE_ALL"], right):
            continue
        return [level for level in _LEVELS if _equal(outcome[level], right)]
    return list(_LEVELS) if "graph-optimization-failed" in site.found.causes else []


def _outputs(path: str, level: str) -> list[Any] | None:
    """What a model gives for made-up inputs at a level; None where it fails."""
    try:
        import onnxruntime
    except ImportError:
        return None
    from triage.onnxgraph import evaluate, files

    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        model = files.load(path, weights=False)
        return list(session.run(None, evaluate.random_feeds(evaluate.inputs_of(model), seed=5)))
    except Exception:  # noqa: BLE001 -- that it fails is the answer
        return None


def _equal(left: list[Any] | None, right: list[Any]) -> bool:
    from triage.onnxgraph import evaluate

    return left is not None and all(evaluate.close(a, b) for a, b in zip(left, right, strict=True))


_SCRIPT = """import numpy as np
import onnxruntime as ort

session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
assert session.get_session_options().graph_optimization_level != ort.GraphOptimizationLevel.ORT_ENABLE_ALL
"""
_LOG = "Exception during initialization: Transpose optimizer failed: perm.size() mismatch\n"
_FOUND = Found(causes=("graph-optimization-failed",))


def _before(folder: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _no_session(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write("print('InferenceSession')\n")


def _after(site: Site) -> None:
    import subprocess
    import sys

    subprocess.run([sys.executable, site.path("build.py")], cwd=site.root, check=True, timeout=60)


EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime", "libcst")),
    Example(_no_session, None, found=_FOUND, log=_LOG, applies=False, needs=("libcst",)),
)
