"""Asks before something is done that goes outward or cannot easily be taken back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Static


class Question(ModalScreen[bool]):
    """A yes or no; ``esc`` is no, and no has the focus.

    Args:
        title: the question, in a line.
        text: what will be done, told line by line; never read as markup.
        yes: the word on the button that does it.
        no: the word on the other.
    """

    BINDINGS: ClassVar = [
        Binding("y", "answer(True)", "Yes", id="question.yes"),
        Binding("n,escape", "answer(False)", "No", id="question.no"),
        Binding("left,right", "other", "Other button", show=False, id="question.other"),
    ]
    DEFAULT_CSS = """
    Question .box { max-height: 90%; max-width: 100; padding: 1 2; }
    Question .said { height: auto; max-height: 14; margin: 1 0; }
    Question .said:focus { background: $panel; }
    Question .buttons { height: 1; }
    Question Button { margin: 0 2 0 0; }
    """

    def __init__(self, title: str, text: str = "", yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._asked, self._said, self._words = title, text, (yes, no)

    def compose(self) -> ComposeResult:
        """The question, what it is about, and two buttons."""
        with Vertical(classes="box small"):
            yield Static(Content(self._asked), classes="title")
            with VerticalScroll(classes="said"):
                yield Static(Content(self._said))
            with Horizontal(classes="buttons"):
                yield Button(Content(f"{self._words[1]} (n)"), id="no", compact=True)
                yield Button(Content(f"{self._words[0]} (y)"), id="yes", variant="warning", compact=True)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """No is the careful answer."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """One of the two."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """The answer."""
        self.dismiss(yes)

    def action_other(self) -> None:
        """From one button to the other."""
        other = "#yes" if self.query_one("#no", Button).has_focus else "#no"
        self.query_one(other, Button).focus()
