"""TensorRT samples and Polygraphy without times: ``[E] text``, ``[E] [TRT] text``."""

from __future__ import annotations

TOOL = "tensorrt"
LINE = r"""\[(?P<sev>[FEWIV])\] (?:\[TRT\] )?"""
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
    "[E] [TRT] UffParser: Parser error: x",
    "[E] Engine set up failed",
)
OTHERS: tuple[str, ...] = (
    "[EE] text",
    "[11/20/2026-10:26:19] [E] x",
)
