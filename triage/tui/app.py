"""The desk itself: open logs, keys, themes, and the way between screens."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import unquote, urlparse

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.command import Provider
from textual.dom import DOMNode
from textual.screen import Screen

from triage.errors import TriageError
from triage.tui import screens, settings
from triage.tui.explained import Explained
from triage.tui.themes import THEMES

LOGS = "logs"
_PATHLIKE = re.compile(
    r"^(?:file://|https?://|~?/|\.{1,2}/|[A-Za-z]:\\|['\"])|\.(?:log|txt|gz|bz2|xz|zst|zip|jsonl?)['\"]?$"
)


def _commands() -> type[Provider]:
    from triage.tui.palette import DeskCommands

    return DeskCommands


class Desk(Explained, App[int]):
    """The terminal desk.

    Args:
        sources: logs to open at once: paths, addresses, or ``-``.
        follow: follow the files as they grow.
        chosen: what the person set.
    """

    TITLE = "triage"
    CSS_PATH = "desk.tcss"
    BINDINGS: ClassVar = [
        Binding("question_mark,f1", "help", "Help", key_display="?", id="desk.help"),
        Binding("o,ctrl+o", "open", "Open", key_display="o", id="desk.open"),
        Binding("A", "go('archive')", "Archive", id="desk.archive"),
        Binding("R", "go('rules')", "Rules", id="desk.rules"),
        Binding("Y", "copy_command", "Copy command", show=False, id="desk.copy_command"),
        Binding("escape", "back", "Back", show=False, id="desk.back"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, id="desk.suspend"),
        Binding("q,ctrl+q", "quit", "Quit", key_display="q", id="desk.quit"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 -- as in the base class
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {_commands}

    def __init__(
        self, sources: Sequence[str] = (), *, follow: bool = False, chosen: settings.Settings | None = None
    ) -> None:
        super().__init__()
        self.chosen = chosen or settings.Settings()
        self.memory = settings.recall()
        self._sources, self._follow = tuple(sources), follow
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = next(
            (name for name in (self.memory.theme, self.chosen.theme) if name in self.available_themes), "triage-dark"
        )
        self.set_keymap(self.chosen.keymap)

    def on_mount(self) -> None:
        """Shows the logs, and opens what was named."""
        self.push_screen(screens.module(LOGS).make(self._sources, self._follow))
        self.theme_changed_signal.subscribe(self, lambda theme: setattr(self.memory, "theme", theme.name))

    # -- the way between screens

    def go(self, name: str, **arguments: Any) -> Screen[Any]:
        """Opens a screen by its id, and gives it."""
        screen: Screen[Any] = screens.module(name).make(**arguments)
        self.push_screen(screen)
        return screen

    def action_go(self, name: str) -> None:
        """Opens a screen that needs nothing; to be there already is enough."""
        if getattr(self.screen, "name_of", "") != name:
            self.go(name)

    async def action_back(self) -> None:
        """Leaves a screen; on the first one there is nothing to leave."""
        if len(self.screen_stack) > 2:
            await self.pop_screen()

    @property
    def logs(self) -> Any:
        """The screen of the open logs."""
        return self.screen_stack[1]

    def action_help(self) -> None:
        """What can be done here."""
        self.go("help", about=self.screen)

    def action_open(self) -> None:
        """Asks for a file."""
        self.go("files", recent=self.memory.recent)

    def open(self, source: str) -> None:
        """Opens a log and shows it."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        self.logs.open(source)

    # -- what comes in

    async def on_paste(self, event: events.Paste) -> None:
        """A pasted text is a log, or the path of one where a terminal drops a file."""
        event.stop()
        path = dropped(event.text)
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if path:
            self.logs.open(path)
        else:
            await self.logs.paste(event.text)

    # -- what goes out

    def action_copy_command(self) -> None:
        """Copies the command that shows or does the same as this screen."""
        words = self.command
        if words:
            self.copy(words, "the command")

    @property
    def command(self) -> str:
        """The command that shows or does the same as this screen; empty where there is none."""
        return str(getattr(self.screen, "command", ""))

    def copy(self, text: str, what: str) -> None:
        """Puts text on the clipboard, also over SSH, and says so."""
        self.copy_to_clipboard(text)
        lines = text.count("\n") + 1
        self.notify(f"Copied {what}" + (f" ({lines:,} lines)" if lines > 1 else "") + ".", timeout=3)

    def say(self, fault: TriageError | str) -> None:
        """An error in words, where a person sees it and the screen stays."""
        self.notify(str(fault), severity="error", timeout=12, markup=False)

    # -- keys that cannot be used now

    async def run_action(
        self,
        action: Any,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Acts; an action that is out of place says why."""
        done = await super().run_action(action, default_namespace, namespaces)
        if not done:
            target, name, _ = self._parse_action(action, default_namespace or self, namespaces)
            why = target.why_not(name) if isinstance(target, Explained) else ""
            if why:
                self.notify(why, severity="warning", markup=False)
                return True
        return done

    def why_not(self, action: str) -> str:
        """Why an action of every screen cannot be done now."""
        if action == "copy_command" and not self.command:
            return "Nothing here has a command of its own yet."
        return ""

    async def action_quit(self) -> None:
        """Remembers what is open, and ends; asks first where a repair goes on."""
        repairs = sys.modules.get("triage.tui.repairs")  # where it was never opened, nothing goes on
        if repairs and repairs.repairs_of(self).working:
            from triage.tui.widgets.question import Question

            words = "A repair is going on. It stops when the desk is left; your files stay as they are."
            self.push_screen(Question("Leave the desk?", words, "Leave"), lambda yes: self._leave() if yes else None)
        else:
            self._leave()

    def _fatal_error(self) -> None:
        """Ends after a fault of our own: where it was, and no values, for they may be text of a log."""
        from rich.console import Group
        from rich.segment import Segments
        from rich.traceback import Traceback

        where = Segments(self.console.render(Traceback(show_locals=False)))
        words = "triage: the desk broke on its own. What was filed is kept; please report this."
        self._exit_renderables.append(Group(where, words))
        self._close_messages_no_wait()

    def _leave(self) -> None:
        self.logs.leave()
        fault = settings.remember(self.memory)
        self.exit(0, message=fault or None)


def dropped(text: str) -> str | None:
    """The path that a paste is: one line that names a file which is there, as terminals drop it; else None."""
    words = text.strip()
    if not words or "\n" in words or len(words) > 4096 or not _PATHLIKE.search(words):
        return None
    if words.startswith(("http://", "https://")):
        return words if " " not in words else None
    if words.startswith("file://"):
        words = unquote(urlparse(words).path)
    for path in (words, *_unquoted(words)):
        if os.path.isfile(os.path.expanduser(path)):
            return path
    return None


def _unquoted(words: str) -> list[str]:
    try:
        return shlex.split(words)[:1]
    except ValueError:
        return []
