"""A screen of one list of the archive: what the lists of incidents and of groups share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Footer

from triage.archive.filters import written
from triage.tui import screens
from triage.tui.lists import GROUPS, INCIDENTS, Kind
from triage.tui.widgets import listing
from triage.tui.widgets.bar import Bar
from triage.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from triage.tui.app import Desk

HELP = """
`/` goes to the filter: `cause:profile-missing`, `model:bert*`, `version:>=10`, `state:new`, `since:7d`, `"free text"`;
all must hold, `a,b` is one of both, `-` in front means not. `Tab` completes, `Enter` goes to the rows.
`f` shows counts: `Enter` on one asks for it, again excludes it, and once more forgets it.

`Enter` opens a row. `space` marks rows and `m` makes one group of theirs; `u` takes your last decision back.
`s` sorts, `c` chooses columns, `w` saves the filter and `v` finds it again, `i` goes between incidents and groups,
`t` shows statistics, `x` copies the command that writes the list to a file.
"""


class ListScreen(Screen[None]):
    """A list between the bar and the keys; ``text`` is its filter at first."""

    CSS = listing.CSS
    BINDINGS: ClassVar = [Binding("i", "other", "Incidents/groups", show=False, id="archive.other")]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, kind: Kind, text: str = "") -> None:
        super().__init__()
        self.name_of = kind.name
        self._kind, self._text = kind, text

    @property
    def listing(self) -> Listing:
        """The list."""
        return self.query_one(Listing)

    @property
    def command(self) -> str:
        """The command that lists the same."""
        return self.listing.command if self.is_mounted else ""

    def compose(self) -> ComposeResult:
        """The list."""
        yield Bar()
        yield Listing(self._kind, self._text)
        yield Footer(compact=True)

    def on_listing_changed(self, event: Listing.Changed) -> None:
        """The command follows."""
        event.stop()
        self._tell()

    def on_resize(self) -> None:
        """So does the room for it."""
        self._tell()

    def _tell(self) -> None:
        self.query_one(Bar).say(screens.module(self._kind.name).TITLE, [], 0, self.command)

    def action_other(self) -> None:
        """The list of groups in place of that of incidents, or the other way round; the filter stays."""
        other = GROUPS if self._kind is INCIDENTS else INCIDENTS
        self.app.switch_screen(screens.module(other.name).make(text=written(self.listing.chosen)))
