"""Picks a file to open: recent ones, a folder's, or what is typed: a path or an address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from triage.tui.explained import Explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.tui.app import Desk

TITLE = "Open"
HELP = """
Type a path or an http(s) address, or choose from the list: files opened before, then what lies in the folder.
`Enter` opens a file or goes into a folder, `Tab` completes what is typed.
"""
MOST = 500


def make(recent: Sequence[str] = (), folder: str = "") -> ModalScreen[None]:
    """The picker, beginning in a folder (default: where the program was started)."""
    return Files(recent, folder or os.getcwd())


class Files(Explained, ModalScreen[None]):
    """A line to type in, and a list that follows it."""

    name_of = "files"
    BINDINGS: ClassVar = [
        Binding("escape", "dismiss", "Back"),
        Binding("tab", "complete", "Complete", priority=True, id="files.complete"),
        Binding("down", "into_list", "List", show=False, id="files.list"),
    ]

    if TYPE_CHECKING:
        app: Desk

    def __init__(self, recent: Sequence[str], folder: str) -> None:
        super().__init__()
        self._recent, self._folder = [path for path in recent if os.path.isfile(path)], folder
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        """The line and the list."""
        with Vertical(classes="box"):
            yield Static("Open a log: path, archive (zip, tar, gz …) or http(s) address", classes="title")
            yield Input(placeholder=f"in {self._folder}", id="path")
            yield OptionList(id="choices")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """The list is there at once."""
        self._list("")
        self.query_one("#path").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The list follows."""
        event.stop()
        self._list(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Opens what is typed; nothing typed opens the first of the list."""
        event.stop()
        typed = event.value.strip()
        if "://" in typed:
            self._open(typed)
        elif typed and os.path.exists(self._absolute(typed)):
            self._choose(self._absolute(typed))
        elif self._shown:
            self._choose(self._shown[0])
        else:
            self.app.notify(f"{typed} is not there.", severity="warning", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Opens what is chosen."""
        event.stop()
        self._choose(self._shown[event.option_index])

    def action_complete(self) -> None:
        """Completes to what the names in the list have in common."""
        line = self.query_one("#path", Input)
        names = [path for path in self._shown if path.startswith(self._absolute(line.value))] or self._shown[:1]
        common = os.path.commonprefix(names)  # noqa: RUF071 -- what is typed ends inside a name
        if common:
            line.value = common + ("/" if common in names and os.path.isdir(common) else "")
            line.cursor_position = len(line.value)

    def action_into_list(self) -> None:
        """From the line to the list."""
        choices = self.query_one("#choices", OptionList)
        choices.focus()
        choices.highlighted = 0

    def _choose(self, path: str) -> None:
        if os.path.isdir(path):
            line = self.query_one("#path", Input)
            line.value = path.rstrip("/") + "/"
            line.cursor_position = len(line.value)
            line.focus()
        else:
            self._open(path)

    def _open(self, source: str) -> None:
        self.app.open(source)

    def _absolute(self, typed: str) -> str:
        return os.path.join(self._folder, os.path.expanduser(typed))

    def _list(self, typed: str) -> None:
        self._shown = list(dict.fromkeys(self._found(typed)))[:MOST]
        choices = self.query_one("#choices", OptionList)
        choices.clear_options()
        for path in self._shown:
            choices.add_option(Option(Content(self._words(path))))

    def _found(self, typed: str) -> Iterator[str]:
        """Recent files that hold what is typed, then entries of the folder that begin with it."""
        if "/" not in typed:
            yield from (path for path in self._recent if typed.lower() in path.lower())
        folder, start = os.path.split(self._absolute(typed))
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: (not entry.is_dir(), entry.name.lower()))
        except OSError:
            return
        for entry in entries:
            hidden = entry.name.startswith(".") and not start.startswith(".")
            if not hidden and entry.name.lower().startswith(start.lower()):
                yield entry.path

    def _words(self, path: str) -> str:
        name = path.removeprefix(self._folder.rstrip("/") + "/")
        if os.path.isdir(path):
            return name + "/"
        recent = "  (opened before)" if path in self._recent else ""
        try:
            return f"{name}  {os.path.getsize(path):,} bytes{recent}"
        except OSError:
            return name
