"""Triton with ``--log-format ISO8601``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "triton"
LINE = r"""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?P<sev>[EWIF]) \d+ [\w.-]+:\d+\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ('2026-11-20T11:29:45Z E 20003 server.cc:241] "x"',)
OTHERS: tuple[str, ...] = ("2026-11-20 11:29:45 E x",)
