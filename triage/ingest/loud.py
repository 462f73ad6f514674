"""The loudest lines near the end of a log that no rule names: what an unknown failure is shown and known by.

Rules look only at lines that hold their words. When all of them are silent the end of the log is
read line by line: lines that their format calls an error come first, then lines with the words of failing.
"""

from __future__ import annotations

import re

from triage.ingest.levels import Levels
from triage.ingest.scan import RawHit
from triage.ingest.wrappers import peel
from triage.linear import Program

LINES = 400
MOST = 3
NEIGHBOURS = 2
NO_PATTERN = -1
TELLING = 4  # words of a message that may be a reason
_WORDS = (
    rb"(?i)\b(?:error|exception|fatal|panic|fail(?:ed|ure|s)?|cannot|can't|could not|unable|invalid|illegal|unsupported"
    rb"|not (?:found|supported|implemented|allowed|permitted|available|compatible)|mismatch\w*|assert\w*"
    rb"|abort\w*|denied|refused|corrupt\w*|no such|out of (?:memory|range|bounds)|missing|undefined|unexpected|unknown"
    rb"|unrecognized)\b"
)
_EXCEPTION = rb"(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception)\b: ?\S"
_WORD = re.compile(rb"[A-Za-z]{2,}")
_compiled: list[Program] = []


def _programs() -> list[Program]:
    if not _compiled:
        _compiled.extend(Program(pattern) for pattern in (_WORDS, _EXCEPTION))
    return _compiled


def loud_lines(tail: bytes, first: int, levels: Levels, skip: frozenset[int]) -> list[RawHit]:
    """Up to MOST lines that look most like the reason, in their order.

    Args:
        tail: the last part of the log, or all of it.
        first: number of its first line.
        levels: the formats that know how loud a line is.
        skip: numbers of lines that say where it ended, not why.
    """
    lines = tail.split(b"\n")
    start = max(0, len(lines) - LINES)
    scored: list[tuple[int, int]] = []
    for place in range(start, len(lines)):
        if first + place not in skip:
            score = _score(peel(lines[place]), levels)
            if score:
                scored.append((-score, place))
    loudest = min(scored, default=(0, 0))[0]
    return [_hit(lines, place, first) for score, place in scored if score == loudest][:MOST]


def _score(line: bytes, levels: Levels) -> int:
    """0 to 4: an error by its format or an exception, then the words of failing; lines that say little give way."""
    loud = levels.of(line) in ("error", "fatal") or _programs()[1].match(line) is not None
    words = _programs()[0].search(line) is not None
    says = len(_WORD.findall(levels.message(line))) >= TELLING
    return (2 * loud + words) + (loud or words) * says if loud or words else 0


def _hit(lines: list[bytes], place: int, first: int) -> RawHit:
    before = b"\n".join(lines[max(0, place - NEIGHBOURS) : place])
    after = b"\n".join(lines[place + 1 : place + 1 + NEIGHBOURS])
    return RawHit(NO_PATTERN, first + place, peel(lines[place]), 0, 0, (), before, after)
