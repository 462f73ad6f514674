"""Warnings of the C++ part of PyTorch: ``[W1120 11:26:19 file.cpp:NN] Warning: text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = None
LINE = r"""\[(?P<sev>[IWEF])(?:\d{4} \d\d:\d\d:\d\d\.\d+)? [\w.]+:\d+\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "[W1120 11:26:19.000000000 socket.cpp:752] Warning: x",
    "[W NNPACK.cpp:64] Could not initialize NNPACK",
)
OTHERS: tuple[str, ...] = ("[W] x",)
