"""Bytes -> diagnosis, pure: the same bytes always give the same diagnosis.

decode → scan → match → rank → incidents. Reading, caching and printing are above.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from triage.diagnose.incidents import build_diagnosis
from triage.diagnose.match import Matched, match
from triage.diagnose.rank import Ranked, rank
from triage.ingest.decode import pieces
from triage.ingest.scan import RawHit, Scanner, clean, find_events
from triage.library import Library
from triage.records import Diagnosis
from triage.rulebook.book import Rulebook

FOLD_LIMIT = 24 << 10
SERIAL_PIECES = 16
THREADS = 2
NEIGHBOURS = 2048
Events = list[tuple[int, int]]


class _Kept:
    """The whole log while it is small, and its last pieces: what the second looks need."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.last: tuple[bytes, bytes] = (b"", b"")
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.last = (self.last[1], piece)
        if self.size <= FOLD_LIMIT:
            self.parts.append(piece)
        else:
            self.parts.clear()

    def tail(self, lines: int) -> tuple[bytes, int]:
        """The end of the log, and the number of its first line where the log has so many lines."""
        text = b"".join(self.last)
        count = text.count(b"\n") + (not text.endswith(b"\n"))
        return text, lines - count + 1


def diagnose_chunks(chunks: Iterable[bytes], library: Library, encoding: str = "utf-8") -> Diagnosis:
    """Diagnoses a log given as chunks of UTF-8 bytes."""
    scanner = Scanner(library.rulebook)
    kept = _Kept()
    lines = size = 0
    last = b"\n"
    for piece, events, below in _with_next(_scanned(pieces(chunks), library.rulebook)):
        size += len(piece)
        kept.add(piece)
        lines = scanner.feed(piece, lines + 1, events, below) - 1
        last = piece[-1:]
    if last != b"\n":
        lines += 1
    matched, ranked = _decide(scanner.settle(), b"".join(kept.parts), library)
    tail = kept.tail(lines) if ranked.failed and not ranked.roots else None
    return build_diagnosis(matched, ranked, library, lines, size, encoding, tail)


def _scanned(raw: Iterator[bytes], book: Rulebook) -> Iterator[tuple[bytes, Events]]:
    """Pieces with the events in them, in order. A long log is scanned by two threads."""
    for _ in range(SERIAL_PIECES):
        piece = next(raw, None)
        if piece is None:
            return
        yield _scan(piece, book)
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[tuple[bytes, Events]]] = deque()
        for piece in raw:
            waiting.append(pool.submit(_scan, piece, book))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _with_next(scanned: Iterator[tuple[bytes, Events]]) -> Iterator[tuple[bytes, Events, bytes]]:
    """Each piece with the start of the one that follows it."""
    held = next(scanned, None)
    while held is not None:
        following = next(scanned, None)
        yield (*held, following[0][:NEIGHBOURS] if following else b"")
        held = following


def _scan(raw: bytes, book: Rulebook) -> tuple[bytes, Events]:
    piece = clean(raw)
    return piece, find_events(book.database, book.scratch, piece)


def _decide(hits: list[RawHit], whole: bytes, library: Library) -> tuple[Matched, Ranked]:
    """One look, and a second one over joined lines where the first names nothing."""
    book, knowledge = library.rulebook, library.knowledge
    matched = match(hits, book, knowledge)
    ranked = rank(matched, knowledge)
    if whole and not any(finding.says == "cause" for finding in ranked.roots):
        from triage.ingest.fold import folded_hits

        more = folded_hits(whole, book)
        if more:
            again = match([*hits, *more], book, knowledge)
            second = rank(again, knowledge)
            if any(finding.says == "cause" for finding in second.roots):
                return again, second
    return matched, ranked
