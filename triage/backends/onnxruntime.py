"""ONNX Runtime: loads a model with the installed providers and runs it once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from triage.backends import Prepared, Probe
from triage.backends._asking import ask
from triage.backends._child import interpreter
from triage.backends._feeds import bring_feeds
from triage.errors import UsageError

NEEDS = {"memory": 512 << 20, "disk": 64 << 20, "gpu_memory": 0}
SCRIPT, SETTINGS, OUTPUTS = "run_onnxruntime.py", "run_onnxruntime.json", "outputs.npz"
_HERE = os.path.dirname(os.path.abspath(__file__))
_ASK = (
    "import json, onnxruntime as o; "
    "print(json.dumps([o.__version__, o.get_available_providers(), o.get_device()]))"
)  # fmt: skip
_PROGRAMS = ("onnxruntime_perf_test", "onnx_test_runner")
_LEVELS = ("disable", "basic", "extended", "all")
_REMOTE = "AzureExecutionProvider"  # computes elsewhere, never what is asked for here


def probe() -> Probe:
    """Looks for ONNX Runtime in the Python that builds use, and for its providers."""
    answer = ask(_ASK, seconds=120)
    if not answer.ran:
        return Probe(False, answer.why)
    if answer.why:
        return Probe(False, f"{answer.why}. pip install onnxruntime (or onnxruntime-gpu), for {interpreter()}")
    version, providers, device = json.loads(answer.text.strip().splitlines()[-1])
    return Probe(True, facts={"version": version, "providers": ", ".join(providers), "device": device})


def understands(command: Sequence[str]) -> bool:
    """ONNX Runtime's own programs, its Python tools, and the script that ``prepare`` writes."""
    names = [os.path.basename(word) for word in command]
    return bool(names) and (
        names[0] in _PROGRAMS or SCRIPT in names or any(word.startswith("onnxruntime.") for word in command)
    )


def prepare(folder: str, model: str, options: Mapping[str, str]) -> Prepared:
    """Writes a script that loads and runs the model, and its settings.

    Args:
        folder: where the build shall run.
        model: below it, relative.
        options: ``providers=A,B`` (default: all that are installed), ``optimization=disable|basic|extended|all``,
            ``feeds=FILE.npz``, ``shape.INPUT=1,3,224,224``, ``size.SYMBOL=4``.

    Raises:
        UsageError: an option is unknown or has no such value.
    """
    settings: dict[str, Any] = {
        "model": model.replace(os.sep, "/"), "providers": _providers(options), "optimization": _level(options),
        "feeds": bring_feeds(folder, options), "shapes": {}, "sizes": {}, "ranges": {}, "masks": [], "seed": 0,
        "outputs": OUTPUTS,
    }  # fmt: skip
    _values(os.path.join(folder, model), settings)
    for name, value in options.items():
        group, _, key = name.partition(".")
        if group == "shape" and key:
            settings["shapes"][key] = _numbers(name, value)
        elif group == "size" and key:
            settings["sizes"][key] = _numbers(name, value)[0]
        elif name not in ("providers", "optimization", "feeds"):
            raise UsageError(f"{name} is no option of onnxruntime; known are providers, optimization, feeds, "
                             "shape.INPUT and size.SYMBOL")  # fmt: skip
    shutil.copyfile(os.path.join(_HERE, f"_{SCRIPT}"), os.path.join(folder, SCRIPT))
    with open(os.path.join(folder, SETTINGS), "w", encoding="utf-8") as stream:
        json.dump(settings, stream, indent=1)
        stream.write("\n")
    return Prepared(("python", SCRIPT), (*_changeable(folder), SETTINGS), (OUTPUTS,))


def _providers(options: Mapping[str, str]) -> list[str]:
    if "providers" in options:
        return [word.strip() for word in options["providers"].split(",") if word.strip()]
    there = probe().facts.get("providers", "").split(", ")
    return [provider for provider in there if provider and provider != _REMOTE] or ["CPUExecutionProvider"]


def _level(options: Mapping[str, str]) -> str:
    level = options.get("optimization", "all")
    if level not in _LEVELS:
        raise UsageError(f"optimization={level} is unknown; known are {', '.join(_LEVELS)}")
    return level


def _values(path: str, settings: dict[str, Any]) -> None:
    """What the graph says of the values that its inputs take; nothing where it cannot be read."""
    from triage.onnxgraph.files import load
    from triage.onnxgraph.ranges import ranges_of

    try:
        model = load(path, weights=False)
    except (ValueError, OSError):
        return
    for name, span in ranges_of(model, [value.name for value in model.graph.input]).items():
        if span.mask:
            settings["masks"].append(name)
        elif span.high is not None:
            settings["ranges"][name] = [span.low, span.high]


def _numbers(name: str, value: str) -> list[int]:
    parts = value.replace("x", ",").split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"{name}={value} must be whole numbers such as 1,3,224,224")
    return [int(part) for part in parts]


def _changeable(folder: str) -> list[str]:
    """What fixes may change: all that was laid out, but scripts and feeds."""
    return sorted(
        name + "/" * os.path.isdir(os.path.join(folder, name))
        for name in os.listdir(folder)
        if not name.endswith((".py", ".npz")) and name != SETTINGS
    )
