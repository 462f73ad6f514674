"""Asks for one of several, for several, or for a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from triage.ingest.text import plain

MOST = 80


class Choice(NamedTuple):
    """What can be picked: its value, and words beside it."""

    value: str
    words: str = ""


class Picked(NamedTuple):
    """What a person picked; ``rest`` was typed after a comma. ``gone``: it shall be deleted."""

    value: str
    rest: str = ""
    gone: bool = False


class Pick(ModalScreen[Picked | None]):
    """A line to type in, and the choices that fit; None where a person went back.

    Args:
        title: what is asked.
        choices: what can be picked; typing finds among values and words.
        free: what is typed can be taken as it is.
        text: stands in the line at first.
        rest: what is typed after a comma is not part of the value.
        delete: choices can be deleted.
    """

    CSS = """
    Pick .box { height: auto; max-height: 85%; max-width: 100; }
    Pick OptionList { height: auto; max-height: 18; text-wrap: nowrap; text-overflow: ellipsis; }
    Pick .box Input { height: 1; border: none; padding: 0; background: $panel; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "back", "Back", id="pick.back"),
        Binding("down", "move(1)", "Next", show=False, id="pick.down"),
        Binding("up", "move(-1)", "Previous", show=False, id="pick.up"),
        Binding("ctrl+d", "remove", "Delete", priority=True, id="pick.delete"),
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice] = (),
        *,
        free: bool = False,
        text: str = "",
        rest: bool = False,
        delete: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._choices, self._free = title, choices, free
        self._text, self._rest, self._delete = text, rest, delete
        self._shown: list[Choice] = []

    def compose(self) -> ComposeResult:
        """The line and the list."""
        with Vertical(classes="box small"):
            yield Static(Content(self._title), classes="title")
            yield Input(self._text, select_on_focus=True)
            if self._choices:
                yield OptionList()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Keys go to the line; the arrows walk the list all the same."""
        self._list(self._text)
        for choices in self.query(OptionList):
            choices.can_focus = False
        self.query_one(Input).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key that deletes is seen where something can be deleted."""
        del parameters
        return action != "remove" or self._delete

    def _list(self, typed: str) -> None:
        if not self._choices:
            return
        asked = (typed.partition(",")[0] if self._rest else typed).lower().split()
        fits = [one for one in self._choices if all(word in f"{one.value} {one.words}".lower() for word in asked)]
        self._shown = fits[:MOST]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(
            Option(Content.assemble((plain(one.value), "bold"), f"  {plain(one.words)}")) for one in self._shown
        )
        choices.highlighted = 0 if self._shown and not (self._free and asked) else None

    def on_input_changed(self, event: Input.Changed) -> None:
        """The list follows."""
        event.stop()
        self._list(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the row that is marked; what is typed where that is allowed."""
        event.stop()
        typed, rest = event.value.strip(), ""
        if self._rest:
            typed, _, rest = (part.strip() for part in event.value.partition(","))
        chosen = self._highlighted
        if chosen:
            self.dismiss(Picked(chosen.value, rest))
        elif self._free:
            self.dismiss(Picked(typed, rest))
        else:
            self.app.notify("Nothing in the list fits what is typed.", severity="warning")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click takes a row."""
        event.stop()
        self.dismiss(Picked(self._shown[event.option_index].value))

    @property
    def _highlighted(self) -> Choice | None:
        at = self.query_one(OptionList).highlighted if self._choices else None
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def action_move(self, by: int) -> None:
        """Walks the list."""
        if self._shown:
            choices = self.query_one(OptionList)
            at = choices.highlighted
            choices.highlighted = (
                (0 if by > 0 else len(self._shown) - 1) if at is None else (at + by) % len(self._shown)
            )

    def action_remove(self) -> None:
        """Takes the row for deletion."""
        chosen = self._highlighted
        if chosen:
            self.dismiss(Picked(chosen.value, gone=True))

    def action_back(self) -> None:
        """Takes nothing."""
        self.dismiss(None)


class PickSome(ModalScreen[list[str] | None]):
    """Choices of which several are taken, in the order in which they stand; None where a person went back."""

    CSS = """
    PickSome .box { height: auto; max-height: 85%; max-width: 60; }
    PickSome OptionList { height: auto; max-height: 16; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "back", "Back", id="pick.back"),
        Binding("enter", "take", "Take", priority=True, id="pick.take"),
        Binding("space", "choose", "Choose", id="pick.choose"),
        Binding("d", "usual", "As usual", id="pick.usual"),
        Binding("j", "move(1)", "Next", show=False, id="pick.down"),
        Binding("k", "move(-1)", "Previous", show=False, id="pick.up"),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], chosen: Sequence[str]) -> None:
        super().__init__()
        self._title, self._choices, self._chosen = title, choices, set(chosen)

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(classes="box small"):
            yield Static(Content(self._title), classes="title")
            yield OptionList(*(self._words(one) for one in self._choices))
            yield Static("space chooses, Enter takes what is chosen, d is as usual", classes="dim")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Keys go to the list."""
        self.query_one(OptionList).focus()
        self.query_one(OptionList).highlighted = 0

    def _words(self, one: Choice) -> Content:
        return Content(f"{'✓' if one.value in self._chosen else ' '} {one.words or one.value}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click chooses."""
        event.stop()
        self.action_choose()

    def action_choose(self) -> None:
        """Chooses the row, or leaves it out."""
        choices = self.query_one(OptionList)
        at = choices.highlighted
        if at is not None:
            self._chosen ^= {self._choices[at].value}
            choices.replace_option_prompt_at_index(at, self._words(self._choices[at]))

    def action_move(self, by: int) -> None:
        """Walks the list."""
        choices = self.query_one(OptionList)
        choices.highlighted = ((choices.highlighted or 0) + by) % len(self._choices)

    def action_take(self) -> None:
        """Takes what is chosen, in the order of the list; nothing chosen is as usual."""
        self.dismiss([one.value for one in self._choices if one.value in self._chosen])

    def action_usual(self) -> None:
        """Forgets the choice."""
        self.dismiss([])

    def action_back(self) -> None:
        """Changes nothing."""
        self.dismiss(None)
