"""Raw bytes of a line -> text that a terminal may show.

Colour codes, control characters and direction marks are gone, secrets are masked,
tabs are blanks, broken UTF-8 is replaced. A carriage return inside a line, as progress
bars write it, is shown as a sign: what it would have overwritten stays readable.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import NamedTuple

from triage.ingest.scan import clean
from triage.ingest.text import plain

LONGEST = 16 << 10
MARGIN = 1 << 10  # read beyond a cut, so that a secret that lies across it is known as one
KEY_LINES = 120
LOOK_BACK = 16 << 10
RETURN = "␍"
_KEY_BEGINS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(rb"-----END [A-Z ]*PRIVATE KEY-----")
_KEY_BODY = re.compile(rb"(?:^|(?<=[\s|]))[A-Za-z0-9+/]{40,}={0,2}\s*$|^\s*[A-Za-z0-9+/]{4,}={0,2}\s*$")


class Line(NamedTuple):
    """One line as it is shown; ``cut`` bytes of it are not, ``loud`` where it looks like an error."""

    number: int
    text: str
    cut: int = 0
    loud: bool = False


def shown_text(raw: bytes, length: int) -> tuple[str, int]:
    """The text of a line and how many of its bytes are not shown.

    Args:
        raw: its first LONGEST + MARGIN bytes, or all of it.
        length: bytes of the whole line.
    """
    if length <= LONGEST:
        return _safe(raw), 0
    text = _safe(raw)
    beyond = len(raw[LONGEST:].decode("utf-8", "replace"))
    return text[: max(0, len(text) - beyond)], length - LONGEST


def _safe(raw: bytes) -> str:
    data = clean(raw).rstrip(b"\r")
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data, len(raw) <= LONGEST)
    if "\r" in text:
        text = text.replace("\r", RETURN)
    if "\t" in text:
        text = text.expandtabs(8)
    return plain(text)


def mask_keys(above: bytes, lines: Sequence[bytes]) -> list[bytes]:
    """The lines with the bodies of private keys masked, also of keys that begin above them."""
    whole = b"\n".join((above, *lines))
    if b"PRIVATE KEY-----" not in whole:
        return list(lines)
    left = 0
    masked: list[bytes] = []
    for line in whole.split(b"\n"):
        ended = _KEY_ENDS.search(line)
        if _KEY_BEGINS.search(line) and not ended:
            left = KEY_LINES
        elif ended:
            left = 0
        elif left:
            left -= 1
            line = _KEY_BODY.sub(b"[private key masked]", line)  # noqa: PLW2901
        masked.append(line)
    return masked[len(masked) - len(lines) :]
