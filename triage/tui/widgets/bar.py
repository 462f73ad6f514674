"""The top line: where one is, which logs are open, and the command that does the same."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static


class Bar(Static):
    """One line; what does not fit is cut."""

    def say(self, where: str, parts: Sequence[str] = (), at: int = 0, command: str = "") -> None:
        """Shows a place, its parts with the one that is seen marked, and a command."""
        left = Content.assemble((" triage ", "bold reverse"), f" {where}")
        for place, name in enumerate(parts):
            short = name if len(name) <= 28 else "…" + name[-27:]
            left += Content.assemble("  ", (f"[{short}]", "bold") if place == at else (short, "dim"))
        right = Content.assemble((f"$ {command} ", "dim")) if command else Content("")
        room = self.app.size.width - left.cell_length - right.cell_length
        self.update(left + " " * max(room, 2) + right)
