"""TensorRT-LLM, Python and C++ loggers."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt-llm"
LINE = r"""(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[TRT-LLM\] (?:\[(?:MPI_Rank|RANK) \d+\] )?\[(?P<sev>[FEWIV])\] )"""
LEVELS = COMMON
FACTS: tuple[str, ...] = (r"""TensorRT-LLM version: (?P<tensorrt_llm>\d+\.\d+[.\w]*)""",)
SAMPLES: tuple[str, ...] = (
    "[10/21/2025-23:23:13] [TRT-LLM] [I] TensorRT-LLM inited.",
    "[01/16/2026-06:20:17] [TRT-LLM] [RANK 0] [E] x",
)
OTHERS: tuple[str, ...] = ("[TensorRT-LLM][ERROR] x",)
