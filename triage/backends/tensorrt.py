"""TensorRT through its Python API: builds a model, runs it, and compares it with ONNX Runtime on the CPU.

Options of ``triage fix MODEL --target tensorrt`` are words ``name=value``:
``profile=images:1x3x32x32:4x3x64x64:8x3x64x64`` (more inputs after commas, more profiles after semicolons),
``shapes=images:2x3x32x32``, ``feeds=FILE.npz``, ``precision=fp16``, ``workspace=4096`` (MiB),
``tactics=edge_mask_convolutions,jit_convolutions``, ``level=3``, ``typed=yes``, ``plugins=A.so``,
``calibration=FILE.npz``, ``verbose=yes``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from triage.backends import Prepared, Probe
from triage.backends._asking import ask
from triage.errors import UsageError
from triage.trtbuild import own_json, plans, standalone
from triage.trtbuild.settings import Dims, Range, Settings, from_x

NEEDS: Mapping[str, int] = {"memory": 6 << 30, "disk": 1 << 30, "gpu_memory": 1 << 30}
_KNOWN = (
    "profile", "shapes", "feeds", "precision", "workspace", "tactics", "level", "typed", "plugins", "calibration",
    "verbose",
)  # fmt: skip
_ASK = """
import ctypes, sys
try:
    import tensorrt
except Exception as fault:
    sys.exit(f"the Python package tensorrt cannot be imported: {fault}")
try:
    cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
except OSError:
    sys.exit("there is no NVIDIA driver (libcuda.so.1)")
count = ctypes.c_int(0)
if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
    sys.exit("the NVIDIA driver shows no device")
name = ctypes.create_string_buffer(256)
cuda.cuDeviceGetName(name, 256, 0)
print(tensorrt.__version__, count.value, name.value.decode(), sep="\\n")
"""
_SECONDS = 120


def probe() -> Probe:
    """Whether TensorRT can be imported and a device is there; asked in a child process."""
    answer = ask(_ASK, _SECONDS)
    if answer.why:
        return Probe(can=False, why=answer.why)
    version, devices, name = answer.text.splitlines()[:3]
    return Probe(can=True, facts={"tensorrt": version, "devices": devices, "device": name})


def understands(command: Sequence[str]) -> bool:
    """Whether a command runs our build script."""
    return any(os.path.basename(word) == standalone.SCRIPT for word in command)


def prepare(folder: str, model: str, options: Mapping[str, Any]) -> Prepared:
    """Writes the build script and its settings beside a model.

    Args:
        folder: where the model lies; the files are written here.
        model: relative path of an ONNX file, or of a plan (which is then only loaded and run).
        options: see the module's description.

    Raises:
        UsageError: an option is unknown or cannot be read; all faults are said at once.
    """
    settings, feeds = _settings(folder, model, options)
    more: dict[str, Any] = {"outputs": "outputs.npz"}
    if feeds:
        shutil.copy2(feeds, os.path.join(folder, "feeds.npz"))
        more["feeds"] = "feeds.npz"
    if _yes(options.get("verbose")):
        more["verbose"] = True
    _write(folder, standalone.SCRIPT, standalone.script_text())
    _write(folder, own_json.NAME, standalone.settings_text(settings, more))
    known = bool(settings.model) and not settings.shapes and _reference(folder, model, more.get("feeds"))
    if known:
        _write(folder, own_json.NAME, standalone.settings_text(settings, {**more, "feeds": "reference.npz"}))
    if settings.calibration:
        _write(folder, "int8_calibration.py", standalone.calibrator_text())
    outputs = (settings.plan or "model.plan", "outputs.npz") if settings.model else ("outputs.npz",)
    beside = [name for name in sorted(os.listdir(folder)) if name.endswith((".onnx", ".data", ".so"))]
    files = (own_json.NAME, *dict.fromkeys([model, *beside]))
    command = ("python", standalone.SCRIPT)
    return Prepared(command, files, outputs, (*command, "--run-only") if known else ())


def _settings(folder: str, model: str, options: Mapping[str, Any]) -> tuple[Settings, str | None]:
    """What the options say, and the file of feeds."""
    faults = [f"{name} is unknown; known are {', '.join(_KNOWN)}" for name in options if name not in _KNOWN]
    is_plan = model.endswith(plans.ENDINGS)
    settings = Settings(
        model=None if is_plan else model, plan=model if is_plan else os.path.splitext(model)[0] + ".plan"
    )
    try:
        settings = settings._replace(
            profiles=tuple(_profiles(str(options["profile"]))) if "profile" in options else (),
            shapes=_shapes(str(options.get("shapes", ""))),
            flags=frozenset(_names(options.get("precision"))) - {"fp32"},
            pools={"workspace": int(float(options["workspace"]) * (1 << 20))} if "workspace" in options else {},
            tactics=tuple(_names(options["tactics"])) if "tactics" in options else None,
            level=int(options["level"]) if "level" in options else None,
            typed=_yes(options.get("typed")),
            plugins=tuple(str(options.get("plugins", "")).split(",")) if options.get("plugins") else (),
            calibration=_calibration(folder, options["calibration"]) if "calibration" in options else None,
        )
    except ValueError as fault:
        faults.append(str(fault))
    feeds = options.get("feeds")
    if feeds and not os.path.isfile(feeds):
        faults.append(f"feeds: {feeds} does not exist")
    if faults:
        raise UsageError("; ".join(faults))
    return settings, feeds


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
        stream.write(text)


def _calibration(folder: str, path: str) -> dict[str, str]:
    """The data are taken along, so that the build stands alone."""
    if not os.path.isfile(path):
        raise ValueError(f"calibration: {path} does not exist")
    shutil.copy2(path, os.path.join(folder, "calibration.npz"))
    return {"data": "calibration.npz", "method": "entropy"}


def _profiles(text: str) -> list[dict[str, Range]]:
    """``images:1x3:2x3:4x3,ids:…`` as one profile; several are parted by semicolons."""
    found = []
    for part in text.split(";"):
        profile = {}
        for word in part.split(","):
            match = re.fullmatch(r"(.+):([\dx]+):([\dx]+):([\dx]+)", word.strip())
            sizes = [from_x(match[at]) for at in (2, 3, 4)] if match else []
            if match is None or not all(sizes):
                raise ValueError(
                    f"profile: {word!r} is not NAME:MIN:OPT:MAX, such as images:1x3x32x32:4x3x64x64:8x3x64x64"
                )
            least, opt, most = (dims or () for dims in sizes)
            profile[match[1]] = Range(least, opt, most)
        found.append(profile)
    return found


def _shapes(text: str) -> dict[str, Dims]:
    told = {}
    for word in filter(None, text.split(",")):
        name, _, shape = word.rpartition(":")
        dims = from_x(shape)
        if not name or dims is None:
            raise ValueError(f"shapes: {word!r} is not NAME:SHAPE, such as images:2x3x32x32")
        told[name] = dims
    return told


def _names(text: object) -> list[str]:
    return [word.strip().lower() for word in str(text or "").split(",") if word.strip()]


def _yes(text: object) -> bool:
    return str(text or "").lower() in ("1", "yes", "true", "on")


def _reference(folder: str, model: str, feeds: str | None) -> bool:
    """Stores what the model gives on the CPU; False where it does not run there."""
    words = [sys.executable, "-m", "triage.trtbuild._reference", model, "reference.npz", own_json.NAME]
    words += [feeds] if feeds else []
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and os.path.exists(os.path.join(folder, "reference.npz"))
