"""Feeds TensorRT's INT8 calibration from the arrays of an .npz file. Stands alone: tensorrt, numpy, libcudart."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Any

import numpy as np
import tensorrt as trt

METHODS = {"entropy": trt.IInt8EntropyCalibrator2, "minmax": trt.IInt8MinMaxCalibrator}


def sets_of(path: str) -> list[dict[str, Any]]:
    """Arrays by input name: one set, or several as ``0/in/name``, ``1/in/name`` and so on."""
    stored = np.load(path, allow_pickle=False)
    numbers = sorted({key.split("/")[0] for key in stored.files if "/" in key}, key=lambda n: (len(n), n))
    if not numbers:
        return [{key: stored[key] for key in stored.files}]
    return [
        {key.split("/")[-1]: stored[key] for key in stored.files if key.startswith(f"{n}/") and "/out/" not in key}
        for n in numbers
    ]


def _cudart() -> Any:
    for name in (
        "libcudart.so",
        "libcudart.so.13",
        "libcudart.so.12",
        "libcudart.so.11.0",
        ctypes.util.find_library("cudart"),
    ):
        try:
            return ctypes.CDLL(name) if name else None
        except OSError:
            continue
    raise SystemExit("ERROR: calibration needs libcudart, which was not found")


def calibrator(path: str, method: str = "entropy", cache: str = "calibration.cache") -> Any:
    """A calibrator over the sets of arrays in a file; ``method`` is entropy or minmax."""
    base = METHODS[method]

    class Calibrator(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.sets = iter(sets_of(path))
            self.cuda = _cudart()
            self.places: dict[str, Any] = {}

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            feeds = next(self.sets, None)
            if feeds is None:
                return None
            for name in names:
                array = np.ascontiguousarray(feeds[name])
                if name not in self.places:
                    self.places[name] = ctypes.c_void_p()
                    self.cuda.cudaMalloc(ctypes.byref(self.places[name]), ctypes.c_size_t(array.nbytes))
                self.cuda.cudaMemcpy(
                    self.places[name], ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes), 1
                )
            return [self.places[name].value for name in names]

        def read_calibration_cache(self) -> bytes | None:
            if not os.path.exists(cache):
                return None
            with open(cache, "rb") as stream:
                return stream.read()

        def write_calibration_cache(self, data: Any) -> None:
            with open(cache, "wb") as stream:
                stream.write(data)

    return Calibrator()
