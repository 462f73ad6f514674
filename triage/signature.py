"""A decisive line -> its signature: the same failure elsewhere has the same hash."""

from __future__ import annotations

import re
from zlib import crc32

from triage.masks import mask
from triage.records import Signature

VERSION = "2026-11-21"
_LIST = re.compile(r"(<[a-z]+>)(?:, ?\1)+")  # how many names were listed is no part of the message


def sign(tool: str, stage: str | None, text: str) -> Signature:
    """Signature of a failure: tool and masked message; where it failed is no part of it."""
    template, kept = mask(text)
    template = _LIST.sub(r"\1, …", " ".join(template.split()))[:500]
    basis = f"{VERSION}\n{tool}\n{template.lower()}".encode()
    digest = f"{crc32(basis):08x}{crc32(basis, 0x5BD1E995):08x}"
    return Signature(VERSION, digest, template, kept)
