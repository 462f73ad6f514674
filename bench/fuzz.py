"""Coverage-guided fuzzing of everything that touches hostile bytes (atheris).

usage: python -m bench.fuzz [-max_total_time=60]     needs: pip install atheris
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["triage"]):
    from triage import diagnose
    from triage.ingest.decode import detect_encoding, pieces, to_utf8
    from triage.ingest.wrappers import peel
    from triage.masks import mask, redact
    from triage.reports import json, markdown, text


def one(data: bytes) -> None:
    """One input through decoding, scanning, rules, masks and every report."""
    report = diagnose(data)
    for renderer in (text, json, markdown):
        drawn = renderer.render([report])
        assert "\x1b" not in drawn
        assert "\x07" not in drawn
    encoding = detect_encoding(data)
    b"".join(pieces(to_utf8([data], encoding)))
    for line in data.split(b"\n")[:50]:
        peel(line)
    words = data.decode("utf-8", "replace")
    redact(mask(words)[0])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
