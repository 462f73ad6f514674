"""What CI systems mark as warning, notice or debug: ``##[warning]text``, ``::notice …::text``."""

from __future__ import annotations

TOOL = None
LINE = r"(?:##\[|::)(?P<sev>warning|notice|debug)(?:\]| [^:]*::|::)"
LEVELS: dict[str, str] = {"warning": "warning", "notice": "info", "debug": "verbose"}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "##[warning]Error: cache service answered 503",
    "::notice file=a.py,line=1::text",
    "::debug::text",
)
OTHERS: tuple[str, ...] = ("##[error]Process completed with exit code 1.",)
