"""A list of the archive: filter line, table, counts, what the log said, and what can be done with the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from triage.archive.completing import toggled
from triage.archive.filters import Filter
from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui.lists import Kind, Rows
from triage.tui.widgets import filter_line
from triage.tui.widgets._listing_acts import ListingActs
from triage.tui.widgets.facets import Facets
from triage.tui.widgets.faults import fault_of
from triage.tui.widgets.filter_line import FilterLine
from triage.tui.widgets.pick import Choice, PickSome
from triage.tui.widgets.table import Table

if TYPE_CHECKING:
    from triage.tui.app import Desk

WIDE = 110
EMPTY = """There is no archive yet.

Open a failing log and press i to file its failure, or run a build with: triage run -- COMMAND"""
CSS = filter_line.CSS + "Facets { height: 1fr; }"


class Listing(ListingActs):
    """Rows of one kind."""

    DEFAULT_CSS = """
    Listing { height: 1fr; layout: vertical; }
    Listing > Horizontal { height: 1fr; }
    Listing .below {
        height: 3; padding: 0 1; border-top: solid $panel; color: $text-muted; text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    Listing .status { height: 1; padding: 0 1; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar = [
        Binding("slash", "filter", "Filter", key_display="/", id="archive.filter"),
        Binding("backslash", "all", "All", show=False, key_display="\\", id="archive.all"),
        Binding("f", "facets", "Counts", id="archive.facets"),
        Binding("s", "sort(1)", "Sort", id="archive.sort"),
        Binding("S", "sort(-1)", "Sort back", show=False, id="archive.sort_back"),
        Binding("c", "columns", "Columns", id="archive.columns"),
        Binding("e", "empty", "Empty columns", show=False, id="archive.empty"),
        Binding("v", "saved", "Saved", id="archive.saved"),
        Binding("w", "save", "Save filter", show=False, id="archive.save"),
        Binding("m", "merge", "Merge", id="archive.merge"),
        Binding("n", "unmark", "No marks", show=False, id="archive.unmark"),
        Binding("u", "undo", "Undo", show=False, id="archive.undo"),
        Binding("x", "export", "Export", show=False, id="archive.export"),
        Binding("t", "figures", "Statistics", show=False, id="archive.figures"),
        Binding("r", "refresh_rows", "Refresh", show=False, id="archive.refresh"),
    ]

    if TYPE_CHECKING:
        app: Desk

    class Changed(Message):
        """Another filter or order."""

    def __init__(self, kind: Kind, text: str = "") -> None:
        super().__init__(kind)
        self._text = text
        self._asked = 0  # counts what was asked, so that late answers are known
        self._busy = False
        self._page: Rows | None = None
        self._all_columns = False
        self._chosen_panel: bool | None = None

    def compose(self) -> ComposeResult:
        """Filter, table and counts, what the log said, how many."""
        yield FilterLine(self._text)
        with Horizontal():
            yield Table(self.kind.columns)
            yield Facets()
        yield Static(classes="below")
        yield Static(classes="status")

    def on_mount(self) -> None:
        """The first page."""
        self._columns()
        self.query_one(Facets).display = self.panel
        self.table.focus()
        self.load()

    def on_resize(self) -> None:
        """Counts stand beside the table where there is room, unless a person chose."""
        if self._chosen_panel is None and self._page is not None and self.query_one(Facets).display != self.panel:
            self.query_one(Facets).display = self.panel
            self.load()

    @property
    def panel(self) -> bool:
        """Whether counts are shown."""
        return self.app.size.width >= WIDE if self._chosen_panel is None else self._chosen_panel

    # -- pages

    def load(self) -> None:
        """Asks for the first page anew."""
        self._ask(None)
        self.post_message(self.Changed())

    def on_table_ends(self, event: Table.Ends) -> None:
        """Asks for the next page."""
        event.stop()
        if self._page and self._page.cursor and not self._busy:
            self._ask(self._page.cursor)

    def _ask(self, cursor: str | None) -> None:
        self._asked += 1
        self._busy = True
        asked, chosen, order, panel = self._asked, self.chosen, self.order.name, self.panel and cursor is None
        self.run_worker(
            lambda: self._read(asked, chosen, order, cursor, panel),
            thread=True, group="page", exclusive=True, exit_on_error=False,
        )  # fmt: skip
        self._status()

    def _read(self, asked: int, chosen: Filter, order: str, cursor: str | None, panel: bool) -> None:
        """In a worker: one page, or why there is none."""
        try:
            page: Rows | TriageError = self.kind.page(chosen, order, cursor, panel)
        except TriageError as fault:
            page = fault
        self.app.call_from_thread(self._take, asked, cursor, page)

    def _take(self, asked: int, cursor: str | None, page: Rows | TriageError) -> None:
        if asked != self._asked or not self.is_attached:
            return
        self._busy = False
        if isinstance(page, TriageError):
            self._refuse(page)
        elif cursor is None:
            self._page = page
            nothing = f"No {self.kind.noun} fits. \\ shows all." if self.chosen.terms else EMPTY
            self.table.show(page.lines, "" if page.lines else nothing)
            self._columns()
            self.query_one(Facets).show(self.chosen, page.facets, page.total)
        else:
            self._page = page._replace(facets=self._page.facets if self._page else (), total=page.total)
            self.table.add(page.lines)
            self._columns()
        self._below()
        self._status()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed unexpectedly is told, too."""
        fault = fault_of(event, "page")
        if fault:
            self._take(self._asked, None, fault)

    def _refuse(self, fault: TriageError) -> None:
        """A fault of the filter stands below it, with the rows as they were; the archive's own in their place."""
        words = plain(str(fault))
        if fault.exit_code == 2 and self._page is not None and fault.http_status != 503:
            self.query_one(FilterLine).say(words)
            return
        self._page = None
        self.table.show((), f"✗ {words}\n\nr tries again.")
        self.query_one(Facets).show(self.chosen, (), None)

    # -- what stands below

    def on_table_moved(self, event: Table.Moved) -> None:
        """What the log of the row said."""
        event.stop()
        self._below()
        self._status()

    def _below(self) -> None:
        row = self.table.row
        lines = self.kind.below(row) if row else []
        self.query_one(".below", Static).update(
            Content.assemble((lines[0], "$foreground"), "\n", lines[1]) if lines else ""
        )

    def _status(self) -> None:
        total = self._page.total if self._page else None
        shown, marked = len(self.table.rows), len(self.table.marked)
        parts = [f"{shown:,} of {total} {self.kind.noun}{'' if total.number == 1 else 's'}"] if total else []
        parts += [self.order.words]
        parts += [f"● {marked} marked"] if marked else []
        parts += ["… looking"] if self._busy else []
        self.query_one(".status", Static).update(Content(" · ".join(parts)))
        self.refresh_bindings()

    # -- the filter

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        """Another filter was typed."""
        event.stop()
        self.load()

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        """Keys go to the rows."""
        event.stop()
        self.table.focus()

    def on_facets_toggled(self, event: Facets.Toggled) -> None:
        """Asks for a value, excludes it, or forgets it."""
        event.stop()
        self.query_one(FilterLine).put(toggled(self.chosen, event.key, event.value))

    def on_facets_dropped(self, event: Facets.Dropped) -> None:
        """A term goes."""
        event.stop()
        terms = self.chosen.terms
        self.query_one(FilterLine).put(Filter((*terms[: event.place], *terms[event.place + 1 :])))

    def action_filter(self) -> None:
        """Goes to the filter."""
        self.query_one("FilterLine Input").focus()

    def action_all(self) -> None:
        """Takes the filter away."""
        self.query_one(FilterLine).put("")

    def action_facets(self) -> None:
        """Shows counts or hides them."""
        self._chosen_panel = not self.panel
        facets = self.query_one(Facets)
        facets.display = self.panel
        if self.panel:
            self.load()
            facets.focus()
        else:
            self.table.focus()

    # -- order and columns

    def action_sort(self, by: int) -> None:
        """Sorts by the next order."""
        at = self.kind.orders.index(self.order)
        self._sort(at + by)

    def on_table_heading(self, event: Table.Heading) -> None:
        """Sorts by a column; again, by its other order."""
        event.stop()
        at = self.kind.orders.index(self.order)
        places = range(at + 1, at + 1 + len(self.kind.orders))
        fits = [place for place in places if self.kind.orders[place % len(self.kind.orders)].column == event.column]
        if fits:
            self._sort(fits[0])
        else:
            self.app.notify(f"The archive does not sort by {event.column}.", severity="warning")

    def _sort(self, place: int) -> None:
        self.order = self.kind.orders[place % len(self.kind.orders)]
        self._columns()
        self.load()

    def _columns(self) -> None:
        """The columns a person chose, else the usual ones; those without a value go."""
        chosen = self.app.memory.columns.get(self.kind.name) or []
        names = chosen or self.kind.usual
        columns = [column for column in self.kind.columns if column.name in names]
        if not self._all_columns and self.table.rows:
            columns = [column for column in columns if not self.table.has_nothing_in(column)] or columns
        self.table.use(columns, keep=bool(chosen), order=(self.order.column, self.order.sign))

    def action_columns(self) -> None:
        """Asks for the columns."""
        chosen = self.app.memory.columns.get(self.kind.name) or self.kind.usual
        choices = [Choice(column.name, column.title) for column in self.kind.columns]
        self.app.push_screen(PickSome(f"Columns of the {self.kind.noun}s", choices, chosen), self._keep_columns)

    def _keep_columns(self, chosen: list[str] | None) -> None:
        if chosen is None:
            return
        self.app.memory.columns.pop(self.kind.name, None)
        if chosen and chosen != list(self.kind.usual):
            self.app.memory.columns[self.kind.name] = chosen
        self.remember()
        self._columns()

    def action_empty(self) -> None:
        """Shows columns without a value, or hides them."""
        self._all_columns = not self._all_columns
        self._columns()
        self.app.notify(f"Empty columns are {'shown' if self._all_columns else 'hidden'}.", timeout=3)
