"""TAO and TensorFlow-style lines: ``[ERROR] text``."""

from __future__ import annotations

TOOL = None
LINE = r"""\[(?P<sev>TRACE|DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\] """
LEVELS: dict[str, str] = {
    "DEBUG": "verbose",
    "INFO": "info",
    "WARNING": "warning",
    "WARN": "warning",
    "ERROR": "error",
    "CRITICAL": "fatal",
    "FATAL": "fatal",
    "TRACE": "verbose",
}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("[ERROR] 10: text",)
OTHERS: tuple[str, ...] = ("[ERROR]text",)
