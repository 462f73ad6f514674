"""Protocol buffers and abseil: ``[libprotobuf ERROR file:NN] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = None
LINE = r"""\[libprotobuf (?P<sev>ERROR|WARNING|INFO|FATAL) """
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""\[libprotobuf (?:ERROR|FATAL) [^\n]{0,200}google/protobuf/[^\n]{0,60}protobuf (?P<protobuf>\d+\.\d+\.\d+)""",
)
SAMPLES: tuple[str, ...] = ("[libprotobuf ERROR google/protobuf/text_format.cc:337] x",)
OTHERS: tuple[str, ...] = ("libprotobuf ERROR",)
