"""A log as lines that can be asked for by number, whatever its size.

Memory is bounded and does not grow with the number of lines: 8 bytes of index and one of
error counts for each 64 KiB (144 KiB for 1 GB), a cache of line places (16 MiB at worst, about 0.2 MiB
for ordinary logs), exact places of errors (512 KiB), and 8 MiB of text where a log is handed in.

Line numbers are those of the diagnosis. One thread may append or index while others read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Self

from triage.ingest.scan import clean
from triage.tui.document import searching
from triage.tui.document.errorlike import looks_like_error
from triage.tui.document.errormap import ErrorMap
from triage.tui.document.index import Index
from triage.tui.document.line import LONGEST, LOOK_BACK, MARGIN, Line, mask_keys, shown_text
from triage.tui.document.pattern import Pattern, parse_pattern
from triage.tui.document.searching import MOST_LINES, Batch, Hit, Step
from triage.tui.document.store import FileStore, GrowingStore, Store

FIRST_LOOK = 1 << 20
BUDGET = 4 << 20
LOUD_BYTES = 4096


def _never() -> bool:
    return False


class Document:
    """One log. Make it with ``open_file`` or ``growing``."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.finished = isinstance(store, FileStore)
        self.remark = ""
        self.version = 0
        self._store = store
        self._index = Index(store)
        self._errors = ErrorMap()

    @classmethod
    def open_file(cls, path: str) -> Self:
        """A file, read in place; its first megabyte is indexed at once.

        Raises:
            InputError: it is missing, a folder, or must not be read.
        """
        document = cls(path, FileStore(path))
        document.index(FIRST_LOOK)
        return document

    @classmethod
    def growing(cls, name: str) -> Self:
        """An empty document that takes bytes by ``append`` until ``finish``."""
        return cls(name, GrowingStore())

    def append(self, data: bytes) -> None:
        """Adds bytes to a growing document, and indexes them."""
        if not isinstance(self._store, GrowingStore):
            raise TypeError("only a growing document takes bytes")
        self._store.append(data)
        self._index.advance(len(data))

    def finish(self) -> None:
        """Says that nothing more will be appended."""
        self.finished = True

    def close(self) -> None:
        """Lets go of the file, or of what was appended."""
        self._store.close()

    @property
    def lines(self) -> int:
        """Lines known so far."""
        return self._index.lines

    @property
    def size(self) -> int:
        """Bytes there are."""
        return self._store.size

    @property
    def indexed(self) -> float:
        """The part of the bytes whose lines are known, 0 to 1."""
        return min(1.0, self._index.counted / self.size) if self.size else 1.0

    @property
    def complete(self) -> bool:
        """Whether the lines of all bytes there are now are known."""
        return self._index.counted >= self.size

    @property
    def bytes_read(self) -> int:
        """Bytes read from the store so far: what showing, indexing and searching cost."""
        return self._store.bytes_read

    def index(self, budget: int = BUDGET) -> float:
        """Learns the lines of about ``budget`` more bytes; gives ``indexed``."""
        before = self._index.counted
        if self._index.advance(budget) == before and not self.complete and isinstance(self._store, FileStore):
            self._check(self._store)  # the file ends before its size: it was cut short
        return self.indexed

    def grown(self) -> bool:
        """Looks at the file again: whether it is another than before. ``index`` then learns the new lines.

        A file that was cut short, replaced or written anew begins again: ``version`` is one more,
        and ``remark`` says why.
        """
        if not isinstance(self._store, FileStore):
            return self._index.counted != self.size
        return self._check(self._store)

    def _check(self, store: FileStore) -> bool:
        before = store.size
        reason = store.replaced(self._index.tail, self._index.counted)
        if reason:
            self._index, self._errors = Index(store), ErrorMap()
            self.remark = reason
            self.version += 1
            self._index.advance(FIRST_LOOK)
        return bool(reason) or store.size != before

    def start_of(self, line: int) -> int:
        """Offset of a line's first byte; the known end for numbers beyond the last."""
        return self._index.start(line)

    def end_of(self, line: int) -> int:
        """Offset behind a line's last byte, its line end not counted."""
        return self._index.end(line)

    def line_at(self, offset: int) -> int:
        """The line that holds an offset; 0 in an empty document."""
        return self._index.line_at(offset)

    def raw(self, offset: int, size: int) -> bytes:
        """Bytes as they are in the log."""
        return self._store.read(offset, size)

    def window(self, first: int, count: int) -> list[Line]:
        """Lines from a number on, fewer at the end; of each LONGEST bytes at most are read."""
        first = max(1, first)
        last = min(first + count - 1, self.lines)
        return self.some(range(first, last + 1))

    def some(self, numbers: Sequence[int]) -> list[Line]:
        """Lines with these numbers, which rise."""
        raws: list[bytes] = []
        lengths: list[int] = []
        for number in numbers:
            start = self._index.start(number)
            lengths.append(max(0, self._index.end(number) - start))
            raws.append(self._store.read(start, min(lengths[-1], LONGEST + MARGIN)))
        above = b""
        if numbers:
            start = self._index.start(numbers[0])
            above = self._store.read(max(0, start - LOOK_BACK), min(start, LOOK_BACK))
        return list(map(_line, numbers, mask_keys(above, raws), lengths))

    def search(self, pattern: Pattern | str, line: int = 1, forward: bool = True) -> Iterator[Step]:
        """Steps towards the nearest line with a hit, from a line on; the last step has it, if there is one."""
        return searching.search(self, _pattern(pattern), line, forward)

    def find(
        self, pattern: Pattern | str, line: int = 1, forward: bool = True, stop: Callable[[], bool] = _never
    ) -> Hit | None:
        """The nearest line with a hit; None without one, or when ``stop`` says so between two pieces."""
        return searching.find(self, _pattern(pattern), line, forward, stop)

    def matching(
        self, keep: Sequence[Pattern | str], drop: Sequence[Pattern | str], line: int = 1, room: int = MOST_LINES
    ) -> Iterator[Batch]:
        """Numbers of the lines with one of ``keep`` (all where it is empty) and none of ``drop``, in batches."""
        return searching.matching(self, list(map(_pattern, keep)), list(map(_pattern, drop)), line, room)

    def scan_errors(self, budget: int = BUDGET) -> float:
        """Looks for error-like lines in about ``budget`` more bytes of known lines; gives how far that is, 0 to 1."""
        upto = self._errors.look(self, budget)
        return min(1.0, upto / self.size) if self.size else 1.0

    @property
    def error_count(self) -> int:
        """Error-like lines found by ``scan_errors`` so far; a lower bound beyond 65,536."""
        return self._errors.total

    def errors(self, buckets: int) -> list[int]:
        """Error-like lines found so far, in equal parts of the bytes."""
        return self._errors.buckets(buckets, self.size)

    def next_error(self, line: int, forward: bool = True, stop: Callable[[], bool] = _never) -> int | None:
        """The nearest error-like line behind or before a line."""
        return self._errors.nearest(self, line, forward, stop)


def open_file(path: str) -> Document:
    """A document over a file; see ``Document.open_file``."""
    return Document.open_file(path)


def _pattern(text: Pattern | str) -> Pattern:
    return parse_pattern(text) if isinstance(text, str) else text


def _line(number: int, raw: bytes, length: int) -> Line:
    text, cut = shown_text(raw, length)
    return Line(number, text, cut, looks_like_error(clean(raw[:LOUD_BYTES])))
