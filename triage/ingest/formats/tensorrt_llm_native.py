"""TensorRT-LLM C++ logger: ``[TensorRT-LLM][ERROR] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt-llm"
LINE = r"""\[TensorRT-LLM\]\[(?P<sev>TRACE|DEBUG|INFO|WARNING|ERROR)\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("[TensorRT-LLM][ERROR] x",)
OTHERS: tuple[str, ...] = ("[TensorRT] ERROR: x",)
