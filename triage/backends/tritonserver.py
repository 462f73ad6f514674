"""Triton Inference Server: lays out a repository for a model, starts the server, sends one request, stops it.

Options of ``triage fix MODEL --target tritonserver`` are words ``name=value``: ``name=classifier`` (default: the file's
name), ``backend=onnxruntime``, ``max_batch_size=8``, ``feeds=FILE.npz``, ``shape.INPUT=2,3,224,224``, ``seconds=60``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from triage.backends import Prepared, Probe
from triage.backends._feeds import bring_feeds
from triage.errors import UsageError
from triage.tritonrepo import files, layout
from triage.tritonrepo.fitting import enough
from triage.tritonrepo.interface import DIRECTIONS, Interface
from triage.tritonrepo.onnxmodel import external_files
from triage.tritonrepo.reading import of_file
from triage.tritonrepo.writing import tensor

NEEDS = {"memory": 1 << 30, "disk": 256 << 20, "gpu_memory": 0}
SCRIPT, SETTINGS, OUTPUTS = "run_triton.py", "run_triton.json", "outputs.npz"
REPOSITORY = "model_repository"
_HERE = os.path.dirname(os.path.abspath(__file__))
_KNOWN = ("name", "backend", "max_batch_size", "feeds", "seconds")
_HOMES = ("/opt/tritonserver",)
# serves an ONNX file where the server has the Python backend only
_THROUGH_PYTHON = '''\
"""Runs model.onnx of this folder with ONNX Runtime."""

import os

import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.onnx")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        responses = []
        for request in requests:
            feeds = {
                value.name: pb_utils.get_input_tensor_by_name(request, value.name).as_numpy()
                for value in self.session.get_inputs()
            }
            answers = zip(self.session.get_outputs(), self.session.run(None, feeds))
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor(value.name, one) for value, one in answers]))
        return responses
'''


def probe() -> Probe:
    """Looks for the server on the path, in its image, and in nvidia-pytriton; tells its backends."""
    program, home = _program()
    if program is None:
        return Probe(
            can=False, why="tritonserver is not on the path. Use a Triton image, or: pip install nvidia-pytriton"
        )
    return Probe(can=True, facts={"tritonserver": program, "backends": ", ".join(_backends(home))})


def understands(command: Sequence[str]) -> bool:
    """The server itself, and the script that ``prepare`` writes."""
    names = [os.path.basename(word) for word in command]
    return "tritonserver" in names or SCRIPT in names


def prepare(folder: str, model: str, options: Mapping[str, str]) -> Prepared:
    """Writes a repository, a script that serves it, and its settings.

    Args:
        folder: where the build shall run.
        model: below it, relative: a model file, a model's folder, or a repository.
        options: see the module's description.

    Raises:
        UsageError: an option is unknown or has no such value, or no backend loads such a file.
    """
    settings: dict[str, Any] = {
        "repository": REPOSITORY, "model": "", "feeds": None, "shapes": {}, "flags": [], "seed": 0, "outputs": OUTPUTS,
        "seconds": _number("seconds", options.get("seconds", "60")),
    }  # fmt: skip
    for name, value in options.items():
        group, _, key = name.partition(".")
        if group == "shape" and key:
            settings["shapes"][key] = [_number(name, part) for part in value.replace("x", ",").split(",")]
        elif name not in _KNOWN:
            raise UsageError(f"{name} is no option of tritonserver; known are {', '.join(_KNOWN)} and shape.INPUT")
    settings["repository"], settings["model"] = _lay_out(folder, model, options)
    settings["feeds"] = bring_feeds(folder, options)
    shutil.copyfile(os.path.join(_HERE, f"_{SCRIPT}"), os.path.join(folder, SCRIPT))
    with open(os.path.join(folder, SETTINGS), "w", encoding="utf-8") as stream:
        json.dump(settings, stream, indent=1)
        stream.write("\n")
    return Prepared(("python", SCRIPT), (f"{settings['repository']}/", SETTINGS), (OUTPUTS,))


def _lay_out(folder: str, model: str, options: Mapping[str, str]) -> tuple[str, str]:
    """The repository and the model's name in it."""
    if os.path.isdir(os.path.join(folder, model)):
        return _of_folder(folder, model, options)
    name = options.get("name") or re.sub(r"[^\w.-]", "_", os.path.splitext(os.path.basename(model))[0])
    backend = options.get("backend") or files.backend_of(model)
    if backend is None:
        known = ", ".join(ending for kind in files.KINDS for ending in kind.endings)
        raise UsageError(f"no backend of Triton is known for {model}; known endings are {known}. Or name backend=NAME.")
    place = os.path.join(folder, REPOSITORY, name)
    version = os.path.join(place, "1")
    os.makedirs(version, exist_ok=True)
    source = os.path.join(folder, model)
    ending = os.path.splitext(model)[1]
    target = next((kind.file for kind in files.KINDS if ending in kind.endings), files.default_file(backend) or "model")
    shutil.copyfile(source, os.path.join(version, target))
    if ending == ".onnx":
        for path in external_files(source):
            os.makedirs(os.path.dirname(os.path.join(version, path)), exist_ok=True)
            shutil.copyfile(os.path.join(os.path.dirname(source), path), os.path.join(version, path))
    there = _backends(_program()[1])
    if backend == "onnxruntime" and "backend" not in options and there and backend not in there and "python" in there:
        backend = "python"
    if backend == "python" and ending == ".onnx":
        with open(os.path.join(version, "model.py"), "w", encoding="utf-8") as stream:
            stream.write(_THROUGH_PYTHON)
    text = _config(name, backend, of_file(source, f"1/{target}"), options)
    with open(os.path.join(place, layout.CONFIG), "w", encoding="utf-8") as stream:
        stream.write(text)
    return REPOSITORY, name


def _of_folder(folder: str, model: str, options: Mapping[str, str]) -> tuple[str, str]:
    model = os.path.normpath(model).replace(os.sep, "/")
    inside = layout.read_folder(folder, model)
    if layout.is_model(inside):
        parent = os.path.dirname(model)
        if parent:
            return parent, inside.name
        place = f"{REPOSITORY}/{inside.name}"
        shutil.copytree(os.path.join(folder, model), os.path.join(folder, place), dirs_exist_ok=True)
        return REPOSITORY, inside.name
    names = [each.name for each in layout.read(folder, model).folders if layout.is_model(each)]
    name = options.get("name") or (names[-1] if names else "")
    if not name:
        raise UsageError(f"{model} holds no model: there is neither a config.pbtxt nor a numbered folder in it")
    return model, name


def _config(name: str, backend: str, known: Interface | None, options: Mapping[str, str]) -> str:
    lines = [f'name: "{name}"', f'backend: "{backend}"']
    batched = bool(known is not None and known.takes_batches)
    size = _number("max_batch_size", options.get("max_batch_size", str(enough(None) if batched else 0)))
    lines.append(f"max_batch_size: {size}")
    for direction in DIRECTIONS:
        for each in known.of(direction) if known is not None else ():
            dims = known.dims(each, size) if known is not None else None
            if each.data_type and dims is not None:
                lines.append(f"{direction} {tensor(each.name, each.data_type, dims, '')}")
    return "\n".join(lines) + "\n"


def _number(name: str, value: str) -> int:
    if not value.strip().isdigit():
        raise UsageError(f"{name}={value} must be a whole number from 0 on")
    return int(value)


def _program() -> tuple[str | None, str]:
    """The server's program and the folder that it belongs to."""
    found = shutil.which("tritonserver")
    for home in _HOMES:
        found = found or shutil.which("tritonserver", path=os.path.join(home, "bin"))
    if found:
        return found, os.path.dirname(os.path.dirname(os.path.realpath(found)))
    spec = importlib.util.find_spec("pytriton")
    home = os.path.join(os.path.dirname(spec.origin or ""), "tritonserver") if spec is not None else ""
    program = os.path.join(home, "bin", "tritonserver")
    return (program, home) if home and os.path.exists(program) else (None, "")


def _backends(home: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.join(home, "backends")))
    except OSError:
        return []
