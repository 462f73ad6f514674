"""TAO and TensorFlow-style lines: ``[ERROR] text``."""

from __future__ import annotations

TOOL = None
LINE = r"""\[(?P<sev>TRACE|DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|trace|debug|info|warning|warn|error|critical|fatal)\] """
LEVELS: dict[str, str] = {
    "DEBUG": "verbose",
    "INFO": "info",
    "WARNING": "warning",
    "WARN": "warning",
    "ERROR": "error",
    "CRITICAL": "fatal",
    "FATAL": "fatal",
    "TRACE": "verbose",
    "debug": "verbose",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "fatal",
    "fatal": "fatal",
    "trace": "verbose",
}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("[ERROR] 10: text",)
OTHERS: tuple[str, ...] = ("[ERROR]text",)
