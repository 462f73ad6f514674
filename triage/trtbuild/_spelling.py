"""How command lines spell shapes: trtexec, Polygraphy, and words that give a whole range."""

from __future__ import annotations

import re

from triage.trtbuild.settings import Dims, from_x

SHAPE_FLAGS = ("--minShapes", "--optShapes", "--maxShapes", "--shapes", "--profile")
POLYGRAPHY = ("--trt-min-shapes", "--trt-opt-shapes", "--trt-max-shapes")
SPEC = re.compile(r"(?:'([^']+)'|\"([^\"]+)\"|([^,'\"]+?)):(\d+(?:x\d+)*)(?:,|$)")
LISTED = re.compile(r"^(.+?)[:,](\[[\d,\s]*\]|\d+(?:[x,]\d+)*)$")
WHOLE = re.compile(r"^((?:--?[\w-]+=)?)([^=:]+(?::\d+(?!x))?):(\d+(?:x\d+)*):(\d+(?:x\d+)*):(\d+(?:x\d+)*)$")


def specs(text: str) -> dict[str, Dims]:
    """``ids:1x8,mask:1x8`` by name."""
    told = {}
    for match in SPEC.finditer(text):
        dims = from_x(match[4])
        if dims:
            told[match[1] or match[2] or match[3]] = dims
    return told
