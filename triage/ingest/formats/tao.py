"""TAO and TensorFlow-style lines: ``[ERROR] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = None
LINE = r"""\[(?P<sev>TRACE|DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|trace|debug|info|warning|warn|error|critical|fatal)\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("[ERROR] 10: text",)
OTHERS: tuple[str, ...] = ("[ERROR]text",)
