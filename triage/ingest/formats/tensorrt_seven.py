"""TensorRT up to 8.0: ``[TensorRT] ERROR: text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt"
LINE = r"""\[TensorRT\] (?P<sev>INTERNAL ERROR|ERROR|WARNING|INFO|VERBOSE): """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "[TensorRT] ERROR: Network must have at least one output",
    "[TensorRT] INTERNAL ERROR: Assertion failed: x",
)
OTHERS: tuple[str, ...] = ("[TensorRT-LLM][ERROR] x",)
