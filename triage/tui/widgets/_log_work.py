"""The work of a log view that may take long: indexing, search, filters. It runs in threads and can be cancelled.

Threads only read the document; what they find is handed to the view on its own thread. A
result that is no longer wanted is known by its ticket.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence

from textual.scroll_view import ScrollView
from textual.worker import get_current_worker

from triage.tui.document import BadPattern, Document, Pattern, parse_pattern
from triage.tui.document.searching import MOST_LINES
from triage.tui.widgets._log_lines import ShownLines
from triage.tui.widgets._log_messages import FilterDone, SearchCounted, SearchDone, SearchProgress

TELL = 0.1  # seconds between two reports of a thread
STEP = 2 << 20
REST = 0.001  # seconds that a thread leaves to the screen after each step


class Working(ScrollView):
    """What runs beside the screen."""

    document: Document
    shown_lines: ShownLines
    cursor: int

    def __init__(self) -> None:
        super().__init__()
        self.keep: tuple[Pattern, ...] = ()
        self.drop: tuple[Pattern, ...] = ()
        self.search_text = ""
        self.search_fault = ""
        self.hit_lines: int | None = None
        self._more_hits = False
        self._origin = 1
        self._search_ticket = 0
        self._filter_ticket = 0
        self._filter_upto = 0
        self._filtering = False
        self._capped = False
        self._looking = False

    # what the view does with results
    def jump(self, line: int) -> None:
        """Shows a line."""
        raise NotImplementedError

    def rows_changed(self) -> None:
        """There are other lines to show."""
        raise NotImplementedError

    def _in_thread(self, group: str, work: Callable[[Callable[[], bool]], None]) -> None:
        def run() -> None:
            worker = get_current_worker()
            work(lambda: worker.is_cancelled)

        self.run_worker(run, thread=True, group=group, exclusive=True, exit_on_error=False)

    # -- indexing and the histogram

    def look(self) -> None:
        """Learns the rest of the lines, then where the errors are."""
        if not self._looking and not (self.document.complete and self.document.scan_errors(0) >= 1):
            self._looking = True
            self._in_thread("look", self._look)

    def _look(self, stopped: Callable[[], bool]) -> None:
        document, told = self.document, time.monotonic()
        done = (-1.0, -1.0)
        while not stopped():
            indexed = document.indexed if document.complete else document.index(STEP)
            now = (indexed, document.scan_errors(STEP) if document.complete else 0.0)
            if now == done:
                break
            done = now
            time.sleep(REST)
            if time.monotonic() - told > TELL:
                told = time.monotonic()
                self.call_later(self.rows_changed)
        self.call_later(self._looked)

    def _looked(self) -> None:
        self._looking = False
        self.rows_changed()

    # -- search

    def search(self, text: str, forward: bool = True) -> None:
        """Highlights a text and goes to its nearest hit from where the cursor was put last; empty text ends it.

        A text that is no pattern is answered with ``SearchDone.fault``, so that it may be called while one types.
        """
        self._search_ticket += 1
        self.search_text, self.search_fault, self.hit_lines = text, "", None
        pattern = None
        try:
            pattern = parse_pattern(text) if text else None
        except BadPattern as fault:
            self.search_fault = str(fault)
            self.post_message(SearchDone(text, None, str(fault)))
        self.shown_lines.seek(pattern)
        self.refresh()
        if pattern is None:
            self.workers.cancel_group(self, "search")
        else:
            self._seek(pattern, self._origin, forward, count=True)

    def seek_again(self, forward: bool) -> None:
        """The next or the previous line with a hit."""
        pattern = self.shown_lines.pattern
        if pattern is not None:
            self._search_ticket += 1
            self._origin = self.cursor
            count = self.hit_lines is None
            self._seek(pattern, self.cursor + (1 if forward else -1), forward, count=count)

    def _seek(self, pattern: Pattern, line: int, forward: bool, *, count: bool) -> None:
        ticket, document = self._search_ticket, self.document
        text = pattern.text

        def work(stopped: Callable[[], bool]) -> None:
            last = document.lines
            wrapped = not 1 <= line <= max(1, last)
            first = line if not wrapped else (1 if forward else last)
            found = self._find(pattern, first, forward, stopped)
            if found is None and not wrapped:
                wrapped = True
                found = self._find(pattern, 1 if forward else document.lines, forward, stopped)
            if not stopped():
                self.call_later(self._sought, ticket, text, found, wrapped)
                if count and found is not None:
                    self._count_hits(ticket, pattern, stopped)

        self._in_thread("search", work)

    def _find(self, pattern: Pattern, line: int, forward: bool, stopped: Callable[[], bool]) -> int | None:
        told = time.monotonic()
        for step in self.document.search(pattern, line, forward):
            if step.hit is not None or stopped():
                return step.hit.line if step.hit else None
            if time.monotonic() - told > TELL:
                told = time.monotonic()
                self.post_message(SearchProgress(pattern.text, step.done))
        return None

    def _sought(self, ticket: int, text: str, line: int | None, wrapped: bool) -> None:
        if ticket != self._search_ticket:
            return
        self.search_fault = "" if line is not None else "not found"
        if line is not None:
            self.jump(line)
        self.post_message(SearchDone(text, line, wrapped=wrapped))

    def _count_hits(self, ticket: int, pattern: Pattern, stopped: Callable[[], bool]) -> None:
        lines = 0
        for batch in self.document.matching((pattern,), ()):
            lines += len(batch.lines)
            if stopped():
                return
        self.call_later(self._counted, ticket, pattern.text, lines)

    def _counted(self, ticket: int, text: str, lines: int) -> None:
        if ticket == self._search_ticket or text == self.search_text:
            self.hit_lines = lines
            self.post_message(SearchCounted(text, lines, lines >= MOST_LINES))
            self.refresh()

    # -- filters

    def set_filter(self, keep: Sequence[str], drop: Sequence[str]) -> None:
        """Shows only lines with one of ``keep`` and none of ``drop``; all lines for two empty ones.

        Raises:
            BadPattern: a text is no pattern; the filter stays as it was.
        """
        self.keep, self.drop = tuple(map(parse_pattern, keep)), tuple(map(parse_pattern, drop))
        self._filter_ticket += 1
        self._filter_upto, self._capped = 0, False
        if self.keep or self.drop:
            self.shown_lines.kept = array("Q")
            self._filter_on()
        else:
            self.workers.cancel_group(self, "filter")
            self._filtering = False
            self.shown_lines.kept = None
        self.rows_changed()
        self.jump(self.cursor)

    def add_filter(self, text: str, keep: bool = True) -> None:
        """One more text to keep lines with, or to drop lines with. What is no pattern is said in a notice."""
        kept, dropped = [pattern.text for pattern in self.keep], [pattern.text for pattern in self.drop]
        (kept if keep else dropped).append(text)
        try:
            self.set_filter(kept, dropped)
        except BadPattern as fault:
            self.notify(str(fault), severity="warning", markup=False)

    def filter_more(self) -> None:
        """Goes on with lines that came since; the last line looked at may have grown."""
        kept = self.shown_lines.kept
        if kept is None or self._filtering or self._capped or self._filter_upto >= self.document.lines:
            return
        if kept and kept[-1] == self._filter_upto:
            kept.pop()
        self._filter_on()

    def _filter_on(self) -> None:
        self._filtering = True
        ticket, first = self._filter_ticket, max(1, self._filter_upto)
        room = MOST_LINES - len(self.shown_lines.kept or ())
        keep, drop, document = self.keep, self.drop, self.document

        def work(stopped: Callable[[], bool]) -> None:
            waiting, upto, capped, told = array("Q"), 0, False, 0.0
            for batch in document.matching(keep, drop, first, room):
                waiting += batch.lines
                upto, capped = batch.upto, batch.capped
                if stopped():
                    return
                if time.monotonic() - told > TELL:
                    self.call_later(self._filtered, ticket, waiting, upto, capped, False)
                    waiting, told = array("Q"), time.monotonic()
            self.call_later(self._filtered, ticket, waiting, upto, capped, True)

        self._in_thread("filter", work)

    def _filtered(self, ticket: int, lines: array[int], upto: int, capped: bool, ended: bool) -> None:
        kept = self.shown_lines.kept
        if ticket != self._filter_ticket or kept is None:
            return
        passed = self._filter_upto < self.cursor <= upto or ended
        kept += lines
        self._filter_upto, self._capped = max(upto, self._filter_upto), capped
        self._filtering = not ended
        self.rows_changed()
        if passed:
            self.jump(self.cursor)
        if ended:
            self.post_message(FilterDone(len(kept), capped))
