"""A log of any size as random-access lines. Knows nothing of the screen that shows it."""

from __future__ import annotations

from triage.tui.document.line import Line
from triage.tui.document.log import Document, open_file
from triage.tui.document.pattern import BadPattern, Pattern, parse_pattern
from triage.tui.document.searching import Hit, Step

__all__ = ["BadPattern", "Document", "Hit", "Line", "Pattern", "Step", "open_file", "parse_pattern"]
