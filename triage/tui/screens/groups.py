"""Groups of the archive: each failure once, with how often and where it was seen."""

from __future__ import annotations

from textual.screen import Screen

from triage.tui.lists import GROUPS
from triage.tui.widgets import list_screen

TITLE = "Groups"
ENTRY = True
HELP = f"Every failure once, however often it was seen: how often, since when, who has it.\n{list_screen.HELP}"


def make(text: str = "") -> Screen[None]:
    """The list, with a filter."""
    return list_screen.ListScreen(GROUPS, text)
