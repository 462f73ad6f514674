"""Statistics of the archive, with plots: by week, cause, tool, model and whatever else is asked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker

from triage.archive.filters import Filter, written
from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui import figures, settings
from triage.tui.explained import Explained
from triage.tui.lists import arguments
from triage.tui.widgets import figures as blocks
from triage.tui.widgets import filter_line
from triage.tui.widgets.answer import Row
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.faults import fault_of
from triage.tui.widgets.filter_line import FilterLine
from triage.tui.widgets.pick import Choice, PickSome
from triage.tui.widgets.sides import WIDE, Sides

if TYPE_CHECKING:
    from triage.tui.app import Desk

TITLE = "Statistics"
ENTRY = True
HELP = """
Figures of the incidents that fit the filter: how many a week, how many of them nobody could name, and how many by
cause, tool, model and so on. `/` goes to the filter, `b` chooses what is counted by, `+` and `-` show more or fewer
rows. `Enter` on a row lists its incidents, on a group opens its page. `x` copies the command that writes the figures to
a file.
"""
TOPS = (5, 10, 25, 100)


def make(text: str = "") -> Screen[None]:
    """The figures, with a filter."""
    return StatisticsScreen(text)


class StatisticsScreen(Explained, Screen[None]):
    """Filter, charts and tables."""

    name_of = "statistics"
    CSS = filter_line.CSS + "StatisticsScreen #state { height: auto; padding: 0 1; } .chart { height: 1; }"
    BINDINGS: ClassVar = [
        Binding("slash", "filter", "Filter", key_display="/", id="statistics.filter"),
        Binding("b", "by", "Count by", id="statistics.by"),
        Binding("plus,equals_sign", "top(1)", "More", key_display="+", id="statistics.more"),
        Binding("minus", "top(-1)", "Fewer", key_display="-", id="statistics.fewer"),
        Binding("i", "incidents", "Incidents", id="statistics.incidents"),
        Binding("x", "export", "Export", id="statistics.export"),
        Binding("r", "again", "Refresh", show=False, id="statistics.refresh"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._top = 10
        self._asked = 0
        self._found: Any = None

    @property
    def chosen(self) -> Filter:
        """The filter."""
        return self.query_one(FilterLine).chosen if self.is_mounted else Filter()

    @property
    def by(self) -> list[str]:
        """What is counted by."""
        return self.app.memory.columns.get(self.name_of) or list(figures.usual())

    @property
    def command(self) -> str:
        """The command that prints the same."""
        by = [] if self.by == list(figures.usual()) else [word for name in self.by for word in ("--by", name)]
        top = [] if self._top == 10 else ["--top", str(self._top)]
        return shlex.join(["triage", "archive", "stats", *arguments(self.chosen), *by, *top])

    def compose(self) -> ComposeResult:
        """Filter, what is going on, figures."""
        yield Bar()
        yield FilterLine(self._text)
        yield Static(id="state")
        yield Sides()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Counts."""
        self.query_one(Sides).display = False
        self.load()
        self.call_after_refresh(self.query_one(Sides).columns[0].focus)

    def on_resize(self) -> None:
        """Bars follow the room."""
        self._bar()
        if self._found is not None:
            self._draw()

    def load(self) -> None:
        """Counts anew."""
        self._asked += 1
        asked, chosen, by = self._asked, self.chosen, self.by
        self._tell("… counting")
        self._bar()
        self.run_worker(
            lambda: self._read(asked, chosen, by), thread=True, group="page", exclusive=True, exit_on_error=False
        )

    def _read(self, asked: int, chosen: Filter, by: list[str]) -> None:
        """In a worker."""
        try:
            found: Any = figures.count(chosen, by, max(TOPS))
        except TriageError as fault:
            found = fault
        self.app.call_from_thread(self._take, asked, found)

    def _take(self, asked: int, found: Any) -> None:
        if asked != self._asked or not self.is_attached:
            return
        if isinstance(found, TriageError):
            self._refuse(found)
            return
        self._found = found
        self._tell("" if found else figures.NOTHING)
        if found:
            self._draw()
        else:
            self.query_one(Sides).display = False
        self.refresh_bindings()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed unexpectedly is told, too."""
        fault = fault_of(event, "page")
        if fault:
            self._take(self._asked, fault)

    def _refuse(self, fault: TriageError) -> None:
        words = plain(str(fault))
        if fault.http_status != 503 and self._found is not None:
            self._tell("")
            self.query_one(FilterLine).say(words)
            return
        self._found = None
        self.query_one(Sides).display = False
        self._tell(f"✗ {words}\n\nr tries again.")

    def _draw(self) -> None:
        found, chosen, sides = self._found, self.chosen, self.query_one(Sides)
        if not found:
            return
        width = self.app.size.width
        drawn = blocks.Drawn(
            found._replace(top=found.top[: self._top]),
            chosen,
            self._top,
            width // 2 - 7 if width >= WIDE else width - 5,
        )
        sides.display = True
        sides.show(lambda: blocks.left(drawn), lambda: blocks.right(drawn))

    def _tell(self, words: str) -> None:
        state = self.query_one("#state", Static)
        state.update(Content(words))
        state.display = bool(words)

    def _bar(self) -> None:
        self.query_one(Bar).say(TITLE, [], 0, self.command)

    # -- acting

    def why_not(self, action: str) -> str:
        """There is an end to more and fewer."""
        if action in ("incidents", "export") and self._found is None:
            return "Nothing is counted yet."
        return ""

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        """Another filter was typed."""
        event.stop()
        self.load()

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        """Keys go to the figures."""
        event.stop()
        self.query_one(Sides).columns[0].focus()

    def on_row_chosen(self, event: Row.Chosen) -> None:
        """Lists what a row counts."""
        event.stop()
        if event.kind == "filter":
            self.app.go("archive", text=event.value)
        else:
            self.app.go("incident", uid=event.value)

    def action_filter(self) -> None:
        """Goes to the filter."""
        self.query_one("FilterLine Input").focus()

    def action_by(self) -> None:
        """Asks what to count by."""
        choices = [Choice(name, words) for name, words in figures.dimensions()]
        self.app.push_screen(PickSome("Count by", choices, self.by), self._keep)

    def _keep(self, chosen: list[str] | None) -> None:
        if chosen is None:
            return
        self.app.memory.columns.pop(self.name_of, None)
        if chosen and set(chosen) != set(figures.usual()):
            self.app.memory.columns[self.name_of] = chosen
        fault = settings.remember(self.app.memory)
        if fault:
            self.app.say(fault)
        self.load()

    def action_top(self, by: int) -> None:
        """More rows in a table, or fewer."""
        self._top = TOPS[max(0, min(TOPS.index(self._top) + by, len(TOPS) - 1))]
        self._bar()
        self._draw()

    def action_incidents(self) -> None:
        """The list of what is counted."""
        self.app.go("archive", text=written(self.chosen))

    def action_export(self) -> None:
        """Copies the command that writes the figures to a file."""
        self.app.copy(f"{self.command} --format csv > statistics.csv", "the command that writes them to a file")

    def action_again(self) -> None:
        """Counts anew."""
        self.query_one(FilterLine).forget()
        self.load()
