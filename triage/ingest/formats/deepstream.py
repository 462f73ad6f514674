"""DeepStream and other users of the TensorRT logger: ``ERROR: [TRT]: text``."""

from __future__ import annotations

TOOL = "tensorrt"
LINE = r"""(?P<sev>ERROR|WARNING|INFO): \[TRT\]: """
LEVELS: dict[str, str] = {
    "F": "fatal",
    "E": "error",
    "W": "warning",
    "I": "info",
    "V": "verbose",
    "INTERNAL ERROR": "fatal",
    "ERROR": "error",
    "WARNING": "warning",
    "INFO": "info",
    "VERBOSE": "verbose",
}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("ERROR: [TRT]: 4: x",)
OTHERS: tuple[str, ...] = ("ERROR: [Torch-TensorRT] - x",)
