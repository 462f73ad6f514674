"""Polygraphy: ``[E] text`` with critical, extra and ultra verbose levels of its own."""

from __future__ import annotations

TOOL = "polygraphy"
LINE = r"""\[(?P<sev>[USX!])\] """
LEVELS: dict[str, str] = {"!": "fatal", "U": "verbose", "S": "verbose", "X": "verbose"}
FACTS: tuple[str, ...] = (
    r"""RUNNING \| Command: (?P<command>[^\n]{1,999})""",
    r"""Polygraphy[ |v]+(?P<polygraphy>0\.\d+\.\d+)""",
)
SAMPLES: tuple[str, ...] = ("[!] Could not parse ONNX correctly",)
OTHERS: tuple[str, ...] = ("[I] RUNNING | Command: x",)
