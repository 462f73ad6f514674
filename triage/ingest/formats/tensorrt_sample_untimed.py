"""TensorRT samples and Polygraphy without times: ``[E] text``, ``[E] [TRT] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt"
LINE = r"""\[(?P<sev>[FEWIV])\] (?:\[TRT\] )?"""
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "[E] [TRT] UffParser: Parser error: x",
    "[E] Engine set up failed",
)
OTHERS: tuple[str, ...] = (
    "[EE] text",
    "[11/20/2026-10:26:19] [E] x",
)
