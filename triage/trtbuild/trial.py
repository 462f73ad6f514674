"""Does a model take certain shapes? Asked of ONNX Runtime where it is there, else of ONNX's shape inference."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from triage.trtbuild.inputs import Input
from triage.trtbuild.settings import Dims

_LARGEST = 1 << 30  # bytes of a model that is tried at all
_MOST_VALUES = 1 << 26  # values of one fed tensor
_SECONDS = 45.0


class Trial:
    """Runs a model on shapes within a time limit; what cannot be told counts as fitting."""

    def __init__(self, path: str, inputs: Sequence[Input]) -> None:
        self._path = path
        self._inputs = inputs
        self._until = time.monotonic() + _SECONDS
        self._known: dict[tuple[tuple[str, Dims], ...], bool] = {}
        self._session: Any = None
        self._opened = False

    def fits(self, shapes: Mapping[str, Dims]) -> bool:
        """Whether the model runs on these shapes (values, where the input is a shape tensor)."""
        key = tuple(sorted(shapes.items()))
        if key not in self._known:
            self._known[key] = self._ask(shapes)
        return self._known[key]

    def _ask(self, shapes: Mapping[str, Dims]) -> bool:
        if time.monotonic() > self._until or _size(self._path) > _LARGEST:
            return True
        session = self._open()
        return self._infer(shapes) if session is None else self._run(session, shapes)

    def _open(self) -> Any:
        if not self._opened:
            self._opened = True
            self._session = _session(self._path)
        return self._session

    def _run(self, session: Any, shapes: Mapping[str, Dims]) -> bool:
        feeds = {}
        for each in self._inputs:
            array = _array(each, shapes.get(each.name))
            if array is None:
                return True
            feeds[each.name] = array
        try:
            session.run(None, feeds)
        except Exception:  # noqa: BLE001 -- whatever it says, it does not run on these shapes
            return False
        return True

    def _infer(self, shapes: Mapping[str, Dims]) -> bool:
        import onnx

        try:
            model = onnx.load(self._path)
            for value in model.graph.input:
                dims = shapes.get(value.name)
                if dims and len(dims) == len(value.type.tensor_type.shape.dim):
                    for dim, size in zip(value.type.tensor_type.shape.dim, dims, strict=True):
                        dim.dim_value = size
            onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError as fault:
            return "No Op registered" in str(fault) or "domain" in str(fault)
        except Exception:  # noqa: BLE001 -- a model that cannot be read says nothing of its shapes
            return True
        return True


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return _LARGEST + 1


def _session(path: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 -- a model that ONNX Runtime refuses may still suit TensorRT
        return None


def _array(given: Input, dims: Dims | None) -> Any:
    import numpy as np

    if given.values and dims:
        shape = tuple(len(dims) if not isinstance(size, int) else size for size in given.dims)
        return np.asarray(dims, given.dtype).reshape(shape)
    shape = dims or tuple(size if isinstance(size, int) else 1 for size in given.dims)
    if int(np.prod(shape, dtype=np.int64)) > _MOST_VALUES or given.dtype == "str":
        return None
    return np.zeros(shape, given.dtype)
