"""Two columns of blocks where there is room, else one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Static

from triage.tui.widgets.answer import Answer, Row

WIDE = 110
Blocks = Callable[[], Iterator[Static]]


class Sides(Horizontal):
    """Blocks are made anew when the room changes, so that they are given as functions."""

    DEFAULT_CSS = """
    Sides { height: 1fr; }
    Sides Answer { width: 1fr; height: 1fr; padding: 0 1; }
    Sides Answer.right { border-left: solid $panel; }
    """
    BINDINGS: ClassVar = [Binding("tab", "other", "Other side", show=False, id="sides.other")]

    def __init__(self) -> None:
        super().__init__()
        self._made: tuple[Blocks, Blocks] | None = None
        self._wide = False

    def compose(self) -> ComposeResult:
        """Both columns."""
        yield Answer()
        right = Answer()
        right.add_class("right")
        yield right

    @property
    def columns(self) -> Sequence[Answer]:
        """Left and right."""
        return list(self.query(Answer))

    def show(self, left: Blocks, right: Blocks) -> None:
        """Replaces everything; the row that had the keys keeps them, where it is still there."""
        self._made = left, right
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """One column or two."""
        if self._made and (event.size.width >= WIDE) != self._wide:
            self._draw()

    def _draw(self) -> None:
        if self._made is None:
            return
        (left, right), (first, second) = self._made, self.columns
        self._wide = self.app.size.width >= WIDE
        focused = self.screen.focused
        held = (focused.kind, focused.value) if isinstance(focused, Row) else None
        second.display = self._wide
        first.show(left() if self._wide else _both(left, right))
        second.show(right() if self._wide else iter(()))
        self.call_after_refresh(self._focus, held)

    def _focus(self, held: tuple[str, str] | None) -> None:
        if self.screen.focused is None or isinstance(self.screen.focused, Row | Answer):
            rows = [row for row in self.query(Row) if (row.kind, row.value) == held]
            (rows[0] if rows else self.columns[0]).focus()

    def action_other(self) -> None:
        """Keys go to the other column."""
        first, second = self.columns
        target = second if self._wide and not second.has_focus_within else first
        rows = target.query(Row)
        (rows.first() if rows else target).focus()


def _both(left: Blocks, right: Blocks) -> Iterator[Static]:
    yield from left()
    yield from right()
