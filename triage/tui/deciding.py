"""A decision on the screen: made in a worker, then said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from triage.errors import TriageError
from triage.ingest.text import plain
from triage.tui.decisions import decide

if TYPE_CHECKING:
    from textual.widget import Widget

    from triage.tui.app import Desk

READ_ONLY = "The desk is read-only (desk.toml)."


def decide_for(widget: Widget, then: Callable[[], None], what: str, *arguments: Any) -> None:
    """Makes a decision in a worker of the widget, says what came of it, and calls ``then`` where it was made."""
    desk: Desk = widget.app  # type: ignore[assignment]

    def work() -> None:
        try:
            words = plain(decide(what, *arguments))
        except TriageError as fault:
            desk.call_from_thread(desk.say, plain(str(fault)))
        else:
            desk.call_from_thread(said, words)

    def said(words: str) -> None:
        desk.notify(words, markup=False)
        then()

    widget.run_worker(work, thread=True, group="decide", exit_on_error=False)
