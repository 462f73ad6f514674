"""What can be done with a list: saved filters, opening, merging, taking back, exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from triage.archive.filters import written
from triage.ingest.text import plain
from triage.tui import settings
from triage.tui.deciding import READ_ONLY, decide_for
from triage.tui.decisions import into_groups
from triage.tui.explained import Explained
from triage.tui.widgets.filter_line import FilterLine
from triage.tui.widgets.pick import Choice, Pick, Picked
from triage.tui.widgets.question import Question
from triage.tui.widgets.table import Table

if TYPE_CHECKING:
    from triage.archive.filters import Filter
    from triage.tui.app import Desk
    from triage.tui.lists import Kind


class ListingActs(Explained, Widget):
    """Part of Listing."""

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.order = kind.orders[0]

    @property
    def table(self) -> Table:
        """The rows."""
        return self.query_one(Table)

    @property
    def chosen(self) -> Filter:
        """The filter."""
        return self.query_one(FilterLine).chosen

    @property
    def command(self) -> str:
        """The command that lists the same."""
        return self.kind.command(self.chosen, self.order.name)

    def load(self) -> None:
        """Asks for the first page anew."""
        raise NotImplementedError

    def why_not(self, action: str) -> str:
        """What an action waits for."""
        ready = self.is_mounted
        if action in ("merge", "undo") and self.app.chosen.read_only:
            return READ_ONLY
        if action == "merge" and ready and len(into_groups(self.table.marks)) < 2:
            return "Mark rows of two groups or more with space; they become one."
        if action == "unmark" and ready and not self.table.marked:
            return "Nothing is marked."
        if action in ("save", "all") and ready and not self.chosen.terms:
            return "The filter is empty: / goes to it."
        if action == "saved" and not self.app.memory.filters:
            return "No filter is saved yet: w saves the one that stands."
        return ""

    # -- rows

    def on_table_chosen(self, event: Table.Chosen) -> None:
        """Opens the page of a row."""
        event.stop()
        self.app.go("incident", uid=self.table.row.hit.id)

    def action_unmark(self) -> None:
        """Takes all marks away."""
        self.table.unmark()

    def action_merge(self) -> None:
        """Merges the groups of the marked rows into that of the row under the cursor, or of the first one."""
        found = into_groups(self.table.marks)
        row = self.table.row
        under = getattr(row.hit, "group", row.hit.id)
        target = under if under in found else next(iter(found))
        names = [*(name for name in found if name != target), target]
        words = f"Make one group of these {len(names)}? They will all be {target}."
        more = "\n".join(f"{'→' if name == target else ' '} {name}  {plain(found[name].hit.cause)}" for name in names)
        self.app.push_screen(
            Question(words, f"{more}\n\nu takes it back.", "Merge"),
            lambda yes: self._decide("merge", names) if yes else None,
        )

    def action_undo(self) -> None:
        """Takes back one's own last decision."""
        self._decide("undo", None)

    def _decide(self, what: str, *arguments: Any) -> None:
        decide_for(self, self._done, what, *arguments)

    def _done(self) -> None:
        self.table.unmark()
        self.load()

    def action_refresh_rows(self) -> None:
        """Asks the archive anew."""
        self.query_one(FilterLine).forget()
        self.load()

    # -- what goes out

    def action_export(self) -> None:
        """Copies the command that writes the list to a file."""
        self.app.copy(
            f"{self.command} --limit 1000 --format csv --output {self.kind.name}.csv", "the exporting command"
        )

    def action_figures(self) -> None:
        """Statistics of the same filter."""
        self.app.go("statistics", text=written(self.chosen))

    # -- saved filters

    def action_save(self) -> None:
        """Asks for a name for the filter."""
        text = written(self.chosen)
        choices = [Choice(name, saved) for name, saved in self.app.memory.filters.items()]
        self.app.push_screen(
            Pick(f"Save {text} as", choices, free=True), lambda picked: self._save(text, picked) if picked else None
        )

    def _save(self, text: str, picked: Picked) -> None:
        name = picked.value.strip()
        if not name:
            self.app.notify("A filter without a name cannot be found again.", severity="warning")
        elif self.app.memory.filters.get(name, text) != text:
            self.app.push_screen(
                Question(f"Replace {name}?", f"It is {self.app.memory.filters[name]}", "Replace"),
                lambda yes: self._keep(name, text) if yes else None,
            )
        else:
            self._keep(name, text)

    def _keep(self, name: str, text: str) -> None:
        self.app.memory.filters[name] = text
        self.app.notify(f"Saved as {name}: v finds it again.", markup=False, timeout=4)
        self.remember()

    def action_saved(self) -> None:
        """Asks which saved filter shall stand."""
        choices = [Choice(name, text) for name, text in self.app.memory.filters.items()]
        self.app.push_screen(Pick("Saved filters; ctrl+d deletes one", choices, delete=True), self._recall)

    def _recall(self, picked: Picked | None) -> None:
        if picked is None:
            return
        text = self.app.memory.filters.get(picked.value, "")
        if picked.gone:
            self.app.push_screen(
                Question(f"Delete the saved filter {picked.value}?", text, "Delete"),
                lambda yes: self._drop(picked.value) if yes else None,
            )
        else:
            self.query_one(FilterLine).put(text)

    def _drop(self, name: str) -> None:
        self.app.memory.filters.pop(name, None)
        self.remember()

    def remember(self) -> None:
        """Keeps filters and columns for the next time."""
        fault = settings.remember(self.app.memory)
        if fault:
            self.app.say(fault)
