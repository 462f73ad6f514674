"""Bytes -> diagnosis, pure: the same bytes always give the same diagnosis.

decode → scan → match → rank → incidents. Reading, caching and printing are above.
"""

from __future__ import annotations

from collections.abc import Iterable

from triage.diagnose.incidents import build_diagnosis
from triage.diagnose.match import Matched, match
from triage.diagnose.rank import Ranked, rank
from triage.ingest.decode import pieces
from triage.ingest.fold import folded_hits
from triage.ingest.scan import RawHit, Scanner, clean, find_events
from triage.library import Library
from triage.records import Diagnosis

FOLD_LIMIT = 256 << 10


class _Kept:
    """The whole log while it is small: what the second look needs."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= FOLD_LIMIT:
            self.parts.append(piece)
        else:
            self.parts.clear()


def diagnose_chunks(chunks: Iterable[bytes], library: Library, encoding: str = "utf-8") -> Diagnosis:
    """Diagnoses a log given as chunks of UTF-8 bytes."""
    book = library.rulebook
    database, scratch = book.database, book.scratch
    scanner = Scanner(book)
    kept = _Kept()
    lines = size = 0
    for raw in pieces(chunks):
        size += len(raw)
        piece = clean(raw)
        kept.add(piece)
        events = find_events(database, scratch, piece)
        if events:
            scanner.feed(piece, lines + 1, events)
        lines += piece.count(b"\n")
    whole = b"".join(kept.parts)
    if size and whole and not whole.endswith(b"\n"):
        lines += 1
    matched, ranked = _decide(scanner.settle(), whole, library, scratch)
    return build_diagnosis(matched, ranked, library, lines, size, encoding)


def _decide(hits: list[RawHit], whole: bytes, library: Library, scratch: object) -> tuple[Matched, Ranked]:
    """One look, and a second one over joined lines where the first names nothing."""
    matched = match(hits, library.rulebook, library.knowledge)
    ranked = rank(matched, library.knowledge)
    if whole and not any(f.says == "cause" for f in ranked.roots):
        more = folded_hits(whole, library.rulebook, scratch)
        if more:
            again = match([*hits, *more], library.rulebook, library.knowledge)
            second = rank(again, library.knowledge)
            if any(f.says == "cause" for f in second.roots):
                return again, second
    return matched, ranked
