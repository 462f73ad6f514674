"""What the desk shows before a log is open: how to begin."""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from triage.tui.widgets.answer import Row

MOST = 8


class Welcome(VerticalScroll):
    """Ways to begin, and the files of last time."""

    def __init__(self, recent: Sequence[str], last: Sequence[str] = ()) -> None:
        super().__init__(id="welcome")
        self._recent = [path for path in recent if os.path.isfile(path)][:MOST]
        self._last = [path for path in last if os.path.isfile(path)]

    def compose(self) -> ComposeResult:
        """The ways, and the files."""
        yield Static(Content.assemble(("Paste a failing log here.", "bold")), classes="headline")
        yield Static(
            "Ctrl+Shift+V pastes in most terminals, ⌘V on a Mac. A file can be dropped here, too.\n"
            "o  open a file or an address     A  the archive     R  the rules     ?  all keys     Ctrl+P  all commands",
            classes="text",
        )
        if self._last:
            yield Static("Last time", classes="title")
            names = ", ".join(os.path.basename(path) for path in self._last)
            yield Row(Content(f"Open again what was open: {names}"), "session", "\n".join(self._last))
        if self._recent:
            yield Static("Opened before", classes="title")
            for path in self._recent:
                yield Row(Content(path), "open", path)
