"""The Python logger of TensorRT since 8.2: ``[time] [TRT] [E] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt"
LINE = r"""(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] )?\[TRT\] \[(?P<sev>[FEWIV])\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "[11/20/2026-11:25:53] [TRT] [F] msg",
    "[TRT] [E] 4: x",
)
OTHERS: tuple[str, ...] = ("[11/20/2026-11:25:53] [E] [TRT] msg",)
