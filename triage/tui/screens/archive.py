"""Incidents of the archive: found by a filter, counted, sorted, opened, merged."""

from __future__ import annotations

from textual.screen import Screen

from triage.tui.lists import INCIDENTS
from triage.tui.widgets import list_screen

TITLE = "Archive"
ENTRY = True
HELP = f"Every failure that was filed, the newest first.\n{list_screen.HELP}"


def make(text: str = "") -> Screen[None]:
    """The list, with a filter."""
    return list_screen.ListScreen(INCIDENTS, text)
