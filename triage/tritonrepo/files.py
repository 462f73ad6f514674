"""Which file a backend loads, which backend loads a file, and how both are called."""

from __future__ import annotations

import os
from typing import NamedTuple


class Kind(NamedTuple):
    """A backend: the file it loads by default, endings of such files, and its older platform name."""

    backend: str
    file: str
    endings: tuple[str, ...]
    platform: str = ""


KINDS = (
    Kind("python", "model.py", (".py",)),
    Kind("onnxruntime", "model.onnx", (".onnx",), "onnxruntime_onnx"),
    Kind("tensorrt", "model.plan", (".plan", ".engine", ".trt"), "tensorrt_plan"),
    Kind("pytorch", "model.pt", (".pt", ".pth", ".ts", ".torchscript"), "pytorch_libtorch"),
    Kind("tensorflow", "model.savedmodel", (".savedmodel",), "tensorflow_savedmodel"),
    Kind("tensorflow", "model.graphdef", (".graphdef", ".pb"), "tensorflow_graphdef"),
    Kind("openvino", "model.xml", (".xml",)),
    Kind("dali", "model.dali", (".dali",)),
    Kind("fil", "xgboost.json", (".ubj",)),
    Kind("vllm", "model.json", ()),
)
ENSEMBLE = "ensemble"
# other backends that exist; a name like them is no misspelling of the ones above
OTHERS = ("tensorrtllm", "custom", "identity", "repeat", "square", "caffe2", "ddlbackend")


def backends() -> list[str]:
    """Every backend that is known."""
    return list(dict.fromkeys([kind.backend for kind in KINDS] + list(OTHERS)))


def platforms() -> dict[str, str]:
    """Platform name -> backend."""
    return {kind.platform: kind.backend for kind in KINDS if kind.platform}


def default_file(backend: str) -> str | None:
    """The file that a backend loads where no other is named."""
    return next((kind.file for kind in KINDS if kind.backend == backend), None)


def endings(backend: str) -> tuple[str, ...]:
    """Endings of the files that a backend loads."""
    return tuple(ending for kind in KINDS if kind.backend == backend for ending in kind.endings)


def backend_of(path: str) -> str | None:
    """The backend that loads a file, by its name or ending."""
    name = os.path.basename(path)
    for kind in KINDS:
        if name == kind.file or name.endswith(kind.endings):
            return kind.backend
    return None
