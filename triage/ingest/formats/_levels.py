"""What the letters and words of levels mean wherever tools use the common ones."""

from __future__ import annotations

COMMON: dict[str, str] = {
    "F": "fatal",
    "E": "error",
    "W": "warning",
    "I": "info",
    "V": "verbose",
    "D": "verbose",
    "INTERNAL ERROR": "fatal",
    "INTERNAL_ERROR": "fatal",
    "FATAL": "fatal",
    "CRITICAL": "fatal",
    "ERROR": "error",
    "WARNING": "warning",
    "WARN": "warning",
    "INFO": "info",
    "VERBOSE": "verbose",
    "DEBUG": "verbose",
    "TRACE": "verbose",
    "fatal": "fatal",
    "critical": "fatal",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "info": "info",
    "debug": "verbose",
    "trace": "verbose",
}
