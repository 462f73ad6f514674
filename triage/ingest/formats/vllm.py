"""vLLM: ``ERROR 11-20 10:26:19 [file.py:NN] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "vllm"
LINE = r"""(?P<sev>DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[?[\w./-]+:\d+\] ?"""
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""vLLM API server version (?P<vllm>\d+\.\d+[.\w]*)""",
    r"""Initializing an? (?:V1 )?LLM engine \(v(?P<vllm>\d+\.\d+[.\w]*)\)[^\n]{0,30}model=[\'"](?P<model>[^\'"]{1,200})[\'"]""",
)
SAMPLES: tuple[str, ...] = (
    "ERROR 10-12 02:10:43 [core.py:710] EngineCore encountered a fatal error.",
    "INFO 10-07 10:20:10 selector.py:121] Using",
)
OTHERS: tuple[str, ...] = ("INFO text",)
