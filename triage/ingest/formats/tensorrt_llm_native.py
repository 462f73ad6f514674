"""TensorRT-LLM C++ logger: ``[TensorRT-LLM][ERROR] text``."""

from __future__ import annotations

TOOL = "tensorrt-llm"
LINE = r"""\[TensorRT-LLM\]\[(?P<sev>TRACE|DEBUG|INFO|WARNING|ERROR)\] """
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
    "TRACE": "verbose",
    "DEBUG": "verbose",
}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("[TensorRT-LLM][ERROR] x",)
OTHERS: tuple[str, ...] = ("[TensorRT] ERROR: x",)
