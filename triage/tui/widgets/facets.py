"""Counts of what a filter finds, by cause, tool and so on: choosing one adds it to the filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from triage.archive.completing import standing
from triage.archive.filters import Filter, written
from triage.ingest.text import plain
from triage.tui.columns import fitted, minute

if TYPE_CHECKING:
    from triage.archive.facets import Facet
    from triage.archive.finding import Total

WIDTH = 30
MOST = 7
_SIGNS = {"asked": "✓ ", "excluded": "✗ ", "": "  "}


class Facets(OptionList):
    """The terms of the filter, then counts by key."""

    DEFAULT_CSS = f"""
    Facets {{ width: {WIDTH}; height: 1fr; border-left: solid $panel; padding: 0; }}
    Facets > .option-list--option {{ padding: 0; }}
    """
    BINDINGS: ClassVar = [
        Binding("j", "cursor_down", "Next", show=False, id="facets.down"),
        Binding("k", "cursor_up", "Previous", show=False, id="facets.up"),
    ]

    class Toggled(Message):
        """A value was chosen: of ``key``; None stands for what is empty."""

        def __init__(self, key: str, value: str | None) -> None:
            super().__init__()
            self.key = key
            self.value = value

    class Dropped(Message):
        """A term of the filter was chosen: it shall go."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__()
        self._acts: list[Any] = []

    def show(self, chosen: Filter, facets: Sequence[Facet], total: Total | None) -> None:
        """Shows terms and counts; the marked row stays where it was."""
        at = self.highlighted
        self._acts, options = [], []

        def put(words: str | Content, act: Any = None) -> None:
            options.append(Option(words if isinstance(words, Content) else Content(words), disabled=act is None))
            self._acts.append(act)

        room = WIDTH - 2
        for place, term in enumerate(chosen.terms):
            put(fitted(f"- {plain(written(Filter((term,))))}", room), self.Dropped(place))
        if total and total.since:
            put(fitted(f"newest {total.number:,} of more,", room))
            put(fitted(f"since {minute(total.since)}", room))
        for facet in facets:
            put(Content(fitted(facet.key, room)).stylize("bold"))
            for value, times in facet.counts[:MOST]:
                put(_line(chosen, facet.key, value, times, room), self.Toggled(facet.key, value))
            others = facet.others + sum(times for _, times in facet.counts[MOST:])
            if others:
                put(fitted(f"  others {others:,}", room))
        self.clear_options()
        self.add_options(options)
        usable = [place for place, act in enumerate(self._acts) if act is not None]
        if at is not None and usable:
            self.highlighted = min(usable, key=lambda place: abs(place - at))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Says what was chosen."""
        event.stop()
        act = self._acts[event.option_index]
        if act is not None:
            self.post_message(act)


def _line(chosen: Filter, key: str, value: str | None, times: int, room: int) -> Content:
    sign = _SIGNS[standing(chosen, key, value)]
    figure = f"{times:,}"
    words = "(none)" if value is None else plain(value)
    return Content(f"{sign}{fitted(words, room - len(figure) - 3)} {figure}")
