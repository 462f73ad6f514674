"""Signs and styles of what repairs are and come to: never told by colour alone."""

from __future__ import annotations

from rich.text import Text

# result of an attempt -> (sign, words, colour of the theme)
RESULTS = {
    "cured": ("✓", "cured", "success"), "moved-on": ("→", "moved on", "warning"), "same": ("=", "same", ""),
    "worse": ("✗", "worse", "error"), "not-run": ("·", "not run", ""), "": ("●", "running", "primary"),
}  # fmt: skip
SAFETIES = {"safe": ("✓", "safe", "success"), "unsafe": ("!", "unsafe", "warning"), "manual": ("✎", "by hand", "")}
# status of a repair -> (sign, headline, colour of the theme)
STATUSES = {
    "proven": ("✓", "CURED AND PROVEN", "success"), "cured": ("✓", "BUILDS, NOT COMPARED", "warning"),
    "moved-on": ("→", "MOVED ON", "warning"), "not-cured": ("✗", "NOT CURED", "error"),
    "nothing-to-try": ("·", "NOTHING TO TRY", "warning"), "refused": ("·", "REFUSED", "warning"),
    "interrupted": ("■", "INTERRUPTED", "warning"),
}  # fmt: skip
CHANGES = {"added": "+", "modified": "~", "removed": "-", "renamed": "→", "command": "$"}


def cell(text: str, style: str = "") -> Text:
    """A cell of a table: plain text, whatever stands in it."""
    from triage.ingest.text import plain

    return Text(plain(text), style=style, no_wrap=True, end="")
