"""GPUs, driver, CUDA, cuDNN and TensorRT libraries, from nvidia-smi, /proc and the names of files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from glob import glob

from triage.environment.ask import Question, ask, read
from triage.environment.records import Gpu

_LIMIT = 4.0  # seconds; a driver that is not kept loaded takes one or two
_QUERY = "--query-gpu=name,driver_version,memory.total,compute_cap"
_VERSION = re.compile(r"\b(\d{3}\.\d+(?:\.\d+)?)\b")
_LIBRARIES = {  # start of the file name: what it is a version of
    "libnvinfer.so.": "tensorrt",
    "libcudnn.so.": "cudnn",
    "libcudart.so.": "cuda",
    "libonnxruntime.so.": "onnxruntime",
}
_FOLDERS = (
    "/usr/local/cuda/lib64",
    "/usr/local/cuda/targets/*/lib",
    "/usr/local/tensorrt/lib",
    "/opt/tensorrt/lib",
    "/usr/lib/*-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
)


def asked() -> Question:
    """Starts asking nvidia-smi."""
    return ask(("nvidia-smi", _QUERY, "--format=csv,noheader,nounits"), _LIMIT)


def told(question: Question) -> tuple[tuple[Gpu, ...], str | None]:
    """GPUs and driver version; an old nvidia-smi does not know compute capabilities, /proc only the names."""
    text = question.answer()
    if text is None and os.path.exists("/proc/driver/nvidia/version"):
        text = ask(("nvidia-smi", _QUERY.rpartition(",")[0], "--format=csv,noheader,nounits"), _LIMIT).answer()
    rows = [[cell.strip() for cell in line.split(",")] for line in (text or "").splitlines() if line.count(",") >= 2]
    if rows:
        return tuple(_gpu(row) for row in rows), rows[0][1] or None
    driver = _VERSION.search(read("/proc/driver/nvidia/version") or "")
    models = (
        re.search(r"^Model:\s*(.+?)\s*$", read(path) or "", re.MULTILINE)
        for path in sorted(glob("/proc/driver/nvidia/gpus/*/information"))
    )
    return tuple(Gpu(model[1]) for model in models if model), driver[1] if driver else None


def _gpu(row: list[str]) -> Gpu:
    capability = row[3] if len(row) > 3 and re.fullmatch(r"\d+\.\d+", row[3]) else None
    return Gpu(row[0], capability, int(row[2]) if row[2].isdigit() else None)


def libraries(environ: Mapping[str, str], packages: Mapping[str, str]) -> dict[str, str]:
    """Versions of cuda, cudnn, tensorrt and onnxruntime libraries, those that are there."""
    found: dict[str, str] = {}
    toolkit = _toolkit()
    if toolkit:
        found["cuda"] = toolkit
    named = [folder for folder in environ.get("LD_LIBRARY_PATH", "").split(":") if os.path.isabs(folder)]
    for folder in (*named, *(path for pattern in _FOLDERS for path in sorted(glob(pattern)))):
        for name, version in _in_folder(folder).items():
            found.setdefault(name, version)
    for name, pattern in (("cuda", r"nvidia-cuda-runtime(-cu\d+)?"), ("cudnn", r"nvidia-cudnn-cu\d+")):
        for package, version in packages.items():
            if re.fullmatch(pattern, package):
                found.setdefault(name, version)
    return found


def _toolkit() -> str | None:
    text = read("/usr/local/cuda/version.json") or read("/usr/local/cuda/version.txt") or ""
    stated = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"|CUDA Version ([\d.]+)', text)
    return (stated[1] or stated[2]) if stated else None


def _in_folder(folder: str) -> dict[str, str]:
    """The longest version of each library, for links carry only its first part."""
    try:
        names: Iterable[str] = os.listdir(folder)
    except OSError:
        return {}
    found: dict[str, str] = {}
    for name in names:
        for start, library in _LIBRARIES.items():
            version = name.removeprefix(start)
            if version is not name and re.fullmatch(r"[\d.]+", version):
                found[library] = max(found.get(library, ""), version, key=lambda text: (text.count("."), text))
    return found
