"""The open logs: where a log is pasted and answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from triage.errors import InputError
from triage.tui import sheets
from triage.tui.explained import Explained
from triage.tui.sheets import Sheet
from triage.tui.widgets.answer import Row
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.sheet_view import SheetView
from triage.tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Logs"
HELP = """
Paste a log anywhere, press `o` for a file, or drop one. The answer stands beside the log: the verdict, the decisive
lines (marked `▶` in the log), why, and what to do. `]` and `[` go from one decisive line to the next, `e` and `E` from
error to error, `/` searches, `&` keeps only lines with a text. `Tab` goes between log and answer; `Enter` on a row of
the answer goes to its line, copies its command, or opens its article or incident.

`f` repairs the build, `c` says what the cause really was, `i` files the incident, `|` shows two logs side by side.
"""


def make(sources: Sequence[str] = (), follow: bool = False) -> Screen[None]:
    """The first screen of the desk."""
    return Logs(sources, follow)


class Logs(Explained, Screen[None]):
    """All open logs; one is shown, or two side by side."""

    name_of = "logs"
    BINDINGS: ClassVar = [
        Binding("full_stop", "next_log", "Next log", show=False, id="desk.next_log"),
        Binding("comma", "previous_log", "Previous log", show=False, id="desk.previous_log"),
        Binding("vertical_line", "split", "Side by side", show=False, id="desk.split"),
        Binding("X", "close_log", "Close log", show=False, id="desk.close"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, sources: Sequence[str], follow: bool) -> None:
        super().__init__()
        self._first, self._follow = tuple(sources), follow
        self._at = 0
        self._together = False

    def compose(self) -> ComposeResult:
        """The bar, the logs, and the keys."""
        yield Bar()
        yield Horizontal(Welcome(self.app.memory.recent, self.app.memory.open), id="sheets")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        """Opens what was named at the start."""
        self.open(*self._first, follow=self._follow)
        self.call_after_refresh(lambda: self.run_worker(_warm, thread=True, group="warm", exit_on_error=False))
        self._tell()

    @property
    def views(self) -> list[SheetView]:
        """Every open log, in the order in which it was opened."""
        return list(self.query(SheetView))

    @property
    def current(self) -> SheetView | None:
        """The log that keys go to."""
        views = self.views
        focused = next((view for view in views if view.has_focus_within), None)
        return focused or (views[min(self._at, len(views) - 1)] if views else None)

    @property
    def command(self) -> str:
        """The command that answers the same log."""
        return self.current.command if self.current else "triage tui"

    # -- opening and closing

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """A file of last time, or all that was open then."""
        event.stop()
        self.open(*event.value.split("\n"))

    def open(self, *sources: str, follow: bool = False) -> None:
        """Opens what a person named, in this order; an archive gives several logs."""
        self.run_worker(lambda: self._open(sources, follow), thread=True, group="open", exit_on_error=False)

    async def paste(self, text: str) -> None:
        """Opens a pasted text."""
        try:
            sheet, chunks = sheets.pasted(text)
        except InputError as fault:
            self.app.say(fault)
            return
        await self._add(sheet)
        self._begin(sheet, chunks)

    async def take(self, sheet: Sheet, chunks: Iterator[bytes]) -> None:
        """Shows a sheet that another screen made, and reads it."""
        await self._add(sheet)
        self._begin(sheet, chunks)

    def _open(self, sources: Sequence[str], follow: bool) -> None:
        """In a worker: opens one after the other; files are read side by side, the rest as it comes."""
        for source in sources:
            try:
                for sheet, chunks in sheets.open_sheets(source):
                    sheet.follows = follow and sheet.path is not None
                    self.app.call_from_thread(self._put, sheet)
                    if sheet.path:
                        self.app.call_from_thread(self._begin, sheet, chunks)
                    else:
                        self._read(sheet, chunks)
            except InputError as fault:
                self.app.call_from_thread(self.app.say, fault)

    def _begin(self, sheet: Sheet, chunks: Iterator[bytes]) -> None:
        self.run_worker(lambda: self._read(sheet, chunks), thread=True, group="read", exit_on_error=False)

    def _read(self, sheet: Sheet, chunks: Iterator[bytes]) -> None:
        sheets.read(sheet, chunks, say=lambda: self.app.call_from_thread(self._changed, sheet))

    def reread(self, sheet: Sheet) -> None:
        """Reads and diagnoses a file that grew."""
        if sheet.path:
            chunks = sheets.blocks(sheet.path)
            self.run_worker(lambda: self._read(sheet, chunks), thread=True, group="read", exit_on_error=False)

    def _changed(self, sheet: Sheet) -> None:
        for view in self.views:
            if view.sheet is sheet:
                view.changed()
        self._tell()

    def _put(self, sheet: Sheet) -> Any:
        return self._add(sheet)

    async def _add(self, sheet: Sheet) -> None:
        if sheet.path:
            self.app.memory.opened(sheet.path)
        for old in self.query(Welcome):
            old.display = False
        view = SheetView(sheet)
        await self.query_one("#sheets").mount(view)
        self._at = self.views.index(view)
        self._show()

    async def action_close_log(self) -> None:
        """Closes the log; its file stays as it is."""
        view = self.current
        if view is None:
            return
        view.leave()
        view.sheet.close()
        await view.remove()
        self._at = max(0, self._at - 1)
        self._show()

    def leave(self) -> None:
        """Remembers where a person was in each log."""
        for view in self.views:
            view.leave()
            view.sheet.close()
        self.app.memory.open = [view.sheet.path for view in self.views if view.sheet.path]

    # -- which log is seen

    def _show(self) -> None:
        views = self.views
        for old in self.query(Welcome):
            old.display = not views
        shown = {self._at, (self._at + 1) % len(views)} if self._together and len(views) > 1 else {self._at}
        for place, view in enumerate(views):
            view.display = place in shown
        if views:
            views[self._at].focus_log()
        else:
            self.set_focus(None)
        self._tell()

    def turn_to(self, sheet: Sheet, line: int = 0) -> None:
        """Shows an open log, at a line where one is given."""
        for place, view in enumerate(self.views):
            if view.sheet is sheet:
                self._at = place
                self._show()
                if line:
                    view.log_view.goto(line)

    def action_next_log(self) -> None:
        """The log opened after this one."""
        self._at = (self._at + 1) % len(self.views)
        self._show()

    def action_previous_log(self) -> None:
        """The log opened before this one."""
        self._at = (self._at - 1) % len(self.views)
        self._show()

    def action_split(self) -> None:
        """One log and the next, side by side; again for one alone."""
        self._together = not self._together
        self._show()

    def why_not(self, action: str) -> str:
        """Most needs a log, some two."""
        count = len(self.views) if self.is_mounted else 0
        if action == "close_log" and not count:
            return "No log is open."
        if action in ("next_log", "previous_log", "split") and count < 2:
            return "Only one log is open: o opens another, and a paste does." if count else "No log is open."
        return ""

    def _tell(self) -> None:
        names = [view.sheet.name for view in self.views]
        self.query_one(Bar).say(TITLE, names, self._at, self.command)
        self.refresh_bindings()


def _warm() -> Any:
    """The rules are loaded while the person still looks for the log."""
    from triage.library import load_library

    return load_library()
