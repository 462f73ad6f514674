"""A second look at small logs whose lines were broken by hand or by a terminal.

Neighbouring lines are joined with a blank, and once more with nothing, and scanned
as one text; a match that spans a line end is a hit on the line where it starts.
"""

from __future__ import annotations

from bisect import bisect_right

from triage.ingest.scan import RawHit, find_events
from triage.ingest.wrappers import peel
from triage.rulebook.book import Rulebook

_REACH = 1500


def folded_hits(data: bytes, book: Rulebook) -> list[RawHit]:
    """Hits that exist only across line ends."""
    peeled = [peel(line).replace(b"\n", b" ") for line in data.split(b"\n")]
    found: dict[tuple[int, int], RawHit] = {}
    for glue in (b" ", b""):
        for hit in _joined(peeled, glue, book):
            found.setdefault((hit.pattern, hit.line), hit)
    return list(found.values())


def _joined(peeled: list[bytes], glue: bytes, book: Rulebook) -> list[RawHit]:
    starts: list[int] = []
    length = 0
    for line in peeled:
        starts.append(length)
        length += len(line) + len(glue)
    text = glue.join(peeled)
    hits: list[RawHit] = []
    tried: set[tuple[int, int]] = set()
    for literal, end in find_events(book.database, book.scratch, text):
        row = bisect_right(starts, end - 1) - 1
        for index in book.announced(literal):
            if (index, row) in tried:
                continue
            tried.add((index, row))
            pattern = book.pattern(index)
            if pattern.kind == "f":
                continue
            low, high = max(0, end - _REACH), min(len(text), end + _REACH)
            match = pattern.search(text[low:high])
            if match is None:
                continue
            begin, end_of_match = match[0]
            first = bisect_right(starts, low + begin) - 1
            last = bisect_right(starts, low + end_of_match - 1) - 1
            if first != last and last - first <= 4:
                start = starts[first]
                stop = starts[last] + len(peeled[last])
                groups = tuple(text[low + a : low + z] if a >= 0 else None for a, z in match[1:])
                span = (low + begin - start, low + end_of_match - start)
                hits.append(RawHit(index, first + 1, text[start:stop], *span, groups, b"", b""))
    return hits
