"""Help for the screen below: what it is for, the keys that work there, and where one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from rich.markup import escape
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Markdown

from triage.tui import screens
from triage.tui.explained import Explained

TITLE = "Help"
HELP = "Help about help: `esc` closes it."


def make(about: Screen[Any]) -> ModalScreen[None]:
    """Help about a screen."""
    return Help(about)


class Help(ModalScreen[None]):
    """Text and keys."""

    name_of = "help"
    BINDINGS: ClassVar = [Binding("escape,question_mark,q", "dismiss", "Close", key_display="esc")]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """The text in a box."""
        with VerticalScroll(classes="box"):
            yield Markdown(text_of(self._about), open_links=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """It can be scrolled at once."""
        self.query_one(VerticalScroll).focus()


def text_of(screen: Screen[Any]) -> str:
    """The help of a screen in Markdown: what it is for, then every key that works there."""
    name = getattr(screen, "name_of", "")
    module = screens.module(name) if name else None
    head = f"# {module.TITLE}\n\n{module.HELP.strip()}\n\n" if module else ""
    command = getattr(screen, "command", "")
    said = f"The same on the command line: `{command}`\n\n" if command else ""
    return head + said + "## Keys\n\n| key | does | now |\n|---|---|---|\n" + "\n".join(_rows(screen)) + "\n"


def _rows(screen: Screen[Any]) -> Iterator[str]:
    """One row an action, with all its keys; those that cannot be used now say why."""
    keys: dict[tuple[int, str], list[str]] = {}
    told: dict[tuple[int, str], tuple[str, str]] = {}
    for key, active in screen.active_bindings.items():
        if not active.binding.description or active.binding.system:
            continue
        place = (id(active.node), active.binding.action)
        keys.setdefault(place, []).append(screen.app.get_key_display(active.binding.with_key(key, None)))
        name = active.binding.action.partition("(")[0].rpartition(".")[2]
        why = active.node.why_not(name) if isinstance(active.node, Explained) else ""
        told[place] = (active.binding.description, why)
    for place, (words, why) in told.items():
        shown = " ".join(f"`{each}`" for each in keys[place] if each != "|") or "`|`"
        yield f"| {shown} | {escape(words)} | {why or ''} |"
