"""The line in which a filter is typed: says at once what is wrong with it, and proposes what may follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from triage.archive.completing import completed, place_of, proposals
from triage.archive.filters import Filter, written
from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui import lists
from triage.tui.explained import Explained

if TYPE_CHECKING:
    from triage.tui.app import Desk

PAUSE = 0.3  # seconds without a key after which the list follows
SHOWN = 8
HINT = 'filter: cause:profile-missing model:bert* version:>=10 since:7d -branch:main "free text"'


# the desk's own sheet speaks of every OptionList, so that this belongs into the CSS of a screen
CSS = """
FilterLine OptionList {
    overlay: screen; constrain: inside; width: auto; min-width: 24; max-width: 60; height: auto; max-height: 8;
    border: none; background: $panel; display: none; padding: 0;
}
FilterLine.-proposing OptionList { display: block; }
"""


class FilterLine(Explained, Vertical):
    """A filter; ``chosen`` is the last one that could be read."""

    DEFAULT_CSS = """
    FilterLine { height: auto; background: $surface; }
    FilterLine Input { height: 1; border: none; padding: 0 1; background: $surface; }
    FilterLine Input:focus { border: none; background: $panel; }
    FilterLine .fault { height: auto; max-height: 3; padding: 0 1; color: $text-error; display: none; }
    FilterLine.-faulty .fault { display: block; }
    """
    BINDINGS: ClassVar = [
        Binding("tab", "complete", "Complete", id="filter.complete"),
        Binding("down", "move(1)", "Next", show=False, id="filter.down"),
        Binding("up", "move(-1)", "Previous", show=False, id="filter.up"),
        Binding("escape", "leave", "To the list", id="filter.leave"),
    ]

    if TYPE_CHECKING:
        app: Desk

    class Changed(Message):
        """Another filter is wanted."""

    class Left(Message):
        """A person is done with the line."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._first = text
        self.chosen = Filter()
        self.fault = ""
        self._values: dict[str, list[str] | None] = {}  # None while it is asked for
        self._shown: list[str] = []
        self._timer: Timer | None = None
        self._walked = False
        self._quiet = ""

    def compose(self) -> ComposeResult:
        """The line, what is wrong with it, and the proposals."""
        yield Input(self._first, placeholder=HINT, select_on_focus=False)
        yield Static(classes="fault")
        yield OptionList(compact=True)

    def on_mount(self) -> None:
        """The proposals never take the keys."""
        self.query_one(OptionList).can_focus = False
        self._quiet = self._first
        self._read()

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    @property
    def is_proposing(self) -> bool:
        """Whether proposals are seen."""
        return self.has_class("-proposing")

    def put(self, chosen: Filter | str) -> None:
        """Replaces the filter, and asks for its list."""
        line = self.query_one(Input)
        self._quiet = chosen if isinstance(chosen, str) else written(chosen)
        line.value = self._quiet
        line.cursor_position = len(line.value)
        self._now()

    def say(self, fault: str) -> None:
        """Shows a fault below the line; empty takes it away."""
        self.fault = fault
        self.query_one(".fault", Static).update(Content(f"✗ {fault}" if fault else ""))
        self.set_class(bool(fault), "-faulty")

    def forget(self) -> None:
        """The archive may hold other values now."""
        self._values = {}

    # -- typing

    def on_input_changed(self, event: Input.Changed) -> None:
        """Reads it at once; the list follows after a pause."""
        event.stop()
        if event.value == self._quiet:
            self._quiet = ""
            return
        self._walked = False
        self._propose()
        if self._timer:
            self._timer.stop()
        if self._read():
            self._timer = self.set_timer(PAUSE, self._now)

    def _read(self) -> bool:
        try:
            self.chosen = lists.read_filter(self.text)
        except TriageError as fault:
            self.say(plain(str(fault)))
            return False
        self.say("")
        return True

    def _now(self) -> None:
        if self._timer:
            self._timer.stop()
        if self.is_attached and self._read():
            self.post_message(self.Changed())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes a proposal that was walked to; else the filter stands."""
        event.stop()
        if self.is_proposing and self._walked:
            self.action_complete()
            return
        self._close()
        self._now()
        if not self.fault:
            self.post_message(self.Left())

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Proposals go with the keys."""
        event.stop()
        self._close()

    # -- proposals

    def _propose(self) -> None:
        line = self.query_one(Input)
        place = place_of(line.value, line.cursor_position)
        if place.key and place.key not in self._values:
            self._values[place.key] = None
            self.run_worker(lambda: self._ask(place.key), thread=True, group="values", exit_on_error=False)
        self._shown = proposals(place, lambda key: self._values.get(key) or ())[:SHOWN]
        if not place.key and not place.typed:
            self._shown = []
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(Option(Content(one)) for one in self._shown)
        self.set_class(bool(self._shown), "-proposing")
        self.refresh_bindings()
        if self._shown:
            choices.highlighted = 0
            region = line.content_region
            choices.absolute_offset = region.offset + Offset(min(place.start, max(region.width - 24, 0)), 1)

    def _ask(self, key: str) -> None:
        """In a worker: what the archive holds."""
        self.app.call_from_thread(self._answered, key, lists.values(key))

    def _answered(self, key: str, found: list[str]) -> None:
        self._values[key] = found
        if self.is_attached and self.query_one(Input).has_focus:
            self._propose()

    def _close(self) -> None:
        self._shown = []
        self.remove_class("-proposing")
        self.refresh_bindings()

    def why_not(self, action: str) -> str:
        """The arrows and the tab key need proposals."""
        return "" if action != "complete" or self._shown else "Nothing is proposed here."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without proposals the tab key goes on to the list."""
        return False if action == "complete" and not self._shown else super().check_action(action, parameters)

    def action_complete(self) -> None:
        """Puts a proposal in."""
        line = self.query_one(Input)
        at = self.query_one(OptionList).highlighted or 0
        place = place_of(line.value, line.cursor_position)
        line.value, line.cursor_position = completed(line.value, place, self._shown[at])
        self._propose()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click takes a proposal."""
        event.stop()
        self.action_complete()
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Walks the proposals; without them, down goes to the list."""
        if self._shown:
            self._walked = True
            choices = self.query_one(OptionList)
            choices.highlighted = ((choices.highlighted or 0) + by) % len(self._shown)
        elif by > 0:
            self.post_message(self.Left())

    def action_leave(self) -> None:
        """Closes the proposals, then leaves the line."""
        if self.is_proposing:
            self._close()
        else:
            self.post_message(self.Left())
