"""Triton Inference Server, default lines: ``E1120 10:26:19.791892 1 file.cc:NN] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "triton"
LINE = r"""(?P<sev>[EWIF])\d{4} \d\d:\d\d:\d\d\.\d{4,6} +\d+ [\w.-]+:\d+\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""server\.cc:(?P<triton_line>\d+)\] ['"]?Waiting for in-flight""",
    r"""\| server_version +\| (?P<triton>\d+\.\d+\.\d+)""",
    r"""Triton Server[^\n]{0,40}(?P<triton>2\.\d+\.\d+)""",
    r"""failed to load [\'"](?P<model>[^\'"]{1,200})[\'"] version \d+""",
    r"""NVIDIA Release (?P<container>\d\d\.\d\d)""",
    r"""TRITON_SERVER_VERSION=(?P<triton>\d+\.\d+\.\d+)""",
)
SAMPLES: tuple[str, ...] = ('I1120 10:26:19.791892 6487 server.cc:305] "Waiting for in-flight requests to complete."',)
OTHERS: tuple[str, ...] = ("E text",)
