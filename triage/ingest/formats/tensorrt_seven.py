"""TensorRT up to 8.0: ``[TensorRT] ERROR: text``."""

from __future__ import annotations

TOOL = "tensorrt"
LINE = r"""\[TensorRT\] (?P<sev>INTERNAL ERROR|ERROR|WARNING|INFO|VERBOSE): """
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
SAMPLES: tuple[str, ...] = (
    "[TensorRT] ERROR: Network must have at least one output",
    "[TensorRT] INTERNAL ERROR: Assertion failed: x",
)
OTHERS: tuple[str, ...] = ("[TensorRT-LLM][ERROR] x",)
